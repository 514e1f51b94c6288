use datamatrix::{DataMatrix, SymbolList};
use serde::Serialize;

use crate::DocumentError;

/// White modules on each side, without which readers miss the symbol.
const QUIET_ZONE: usize = 2;

/// A symbol as a drawing; one unit is one module.
#[derive(Serialize)]
pub(crate) struct Symbol {
    /// SVG, quiet zone included.
    svg: String,
    /// Side in modules, quiet zone included.
    modules: usize,
}

/// Draws a square DataMatrix (ECC 200) as one filled path, so that no hairline appears between its modules.
pub(crate) fn draw(content: &str) -> Result<Symbol, DocumentError> {
    if !content.is_ascii() {
        return Err(DocumentError::DataMatrix);
    }
    let code = DataMatrix::encode(content.as_bytes(), SymbolList::default().enforce_square()).map_err(|_| DocumentError::DataMatrix)?;
    let bitmap = code.bitmap();
    let mut path = String::new();
    let mut run: Option<(usize, usize, usize)> = None;
    for (x, y) in bitmap.pixels() {
        run = match run {
            Some((from, to, row)) if row == y && to == x => Some((from, x + 1, row)),
            ended => {
                push(&mut path, ended);
                Some((x, x + 1, y))
            }
        };
    }
    push(&mut path, run);
    let modules = bitmap.width() + 2 * QUIET_ZONE;
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-{QUIET_ZONE} -{QUIET_ZONE} {modules} {modules}\">\
         <path fill=\"#000\" d=\"{path}\"/></svg>"
    );
    Ok(Symbol { svg, modules })
}

fn push(path: &mut String, run: Option<(usize, usize, usize)>) {
    if let Some((from, to, row)) = run {
        let width = to - from;
        path.push_str(&format!("M{from} {row}h{width}v1h-{width}z"));
    }
}
