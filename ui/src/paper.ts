import { host, type PageImage } from './host';

/** By then the webview has written the file. */
const SAVED_AFTER_MS = 60_000;

type Pages = (page: number) => Promise<PageImage>;

let underWay = false;

/** Prints whole pages, A4, nothing else of the window. The pages leave the window again when the dialog closes. One print at a time: more are not begun. */
export async function print(volets: Pages[]): Promise<void> {
  if (underWay) return;
  underWay = true;
  try {
    await printPages(volets);
  } finally {
    underWay = false;
  }
}

async function printPages(volets: Pages[]): Promise<void> {
  const paper = document.getElementById('sheets');
  if (!paper) return;
  const images: Blob[] = [];
  for (const volet of volets) {
    const first = await volet(1);
    images.push(first.image);
    for (let page = 2; page <= first.pages; page++) images.push((await volet(page)).image);
  }

  const sheets = images.map((image) => {
    const sheet = document.createElement('img');
    sheet.alt = '';
    sheet.src = URL.createObjectURL(image);
    return sheet;
  });
  paper.replaceChildren(...sheets);
  await Promise.all(sheets.map((sheet) => sheet.decode()));

  const clear = () => {
    for (const sheet of sheets) {
      URL.revokeObjectURL(sheet.src);
      sheet.remove();
    }
  };
  window.addEventListener('afterprint', clear, { once: true });
  window.print();
}

/** Offers a volet's PDF under a name that says nothing of the patient. */
export async function save(id: string, kind: string, volet: string, content: string | null | undefined): Promise<void> {
  const pdf = content ? new Blob([bytes(content)], { type: 'application/pdf' }) : await host.voletPdf(id, volet);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(pdf);
  link.download = `${kind}-${id.slice(0, 8)}-${volet}.pdf`;
  link.hidden = true;
  // WebKit saves only what a link in the document leads to, and reads it after the click.
  document.body.append(link);
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
    link.remove();
  }, SAVED_AFTER_MS);
}

export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Webviews without the asynchronous clipboard.
    const box = document.createElement('textarea');
    box.value = text;
    box.className = 'away';
    document.body.append(box);
    box.select();
    document.execCommand('copy');
    box.remove();
  }
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) out[at] = text.charCodeAt(at);
  return out;
}
