//! Files that want to be taken for what they are not.

use econnector_signature::{Doubt, PdfProblem, SignatureError, TrustStore, Verification, check_pdf, verify};
use lopdf::{Document, IncrementalDocument, Object, Stream, dictionary};

use crate::{
    authority::{Authority, now},
    paper::{Style, document, gap, pdf, saved, sign},
};

fn judged(pdf: &[u8], authority: &Authority) -> Result<Verification, SignatureError> {
    verify(pdf, &authority.trust(), now())
}

fn is_valid(pdf: &[u8], trust: &TrustStore) -> bool {
    verify(pdf, trust, now()).is_ok_and(|verification| verification.is_valid())
}

#[tokio::test]
async fn no_changed_byte_and_no_missing_end_goes_unnoticed() {
    let authority = Authority::new();
    let trust = authority.trust();
    for style in [Style::Classic, Style::Streams] {
        let signed = sign(&pdf(style), &authority).await.unwrap().bytes;
        assert!(is_valid(&signed, &trust));
        let gap = gap(&signed);
        for at in (0..gap.start).chain(gap.end..signed.len()).step_by(13) {
            let mut changed = signed.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(!is_valid(&changed, &trust), "{style:?}: byte {at}");
        }
        // Inside the signature itself: certificates it brings along are not signed, so all that is asked is to survive.
        for at in gap.clone().step_by(397) {
            let mut changed = signed.clone();
            changed[at] = changed[at].wrapping_add(1);
            let _ = verify(&changed, &trust, now());
        }
        for end in (0..signed.len()).step_by(1999).chain(signed.len() - 8..signed.len()) {
            assert!(!is_valid(&signed[..end], &trust), "{style:?}: first {end} bytes");
        }
    }
}

#[tokio::test]
async fn what_was_appended_is_not_signed() {
    let authority = Authority::new();
    let signed = sign(&pdf(Style::Classic), &authority).await.unwrap().bytes;
    let mut update = IncrementalDocument::create_from(signed.to_vec(), Document::load_mem(&signed).unwrap());
    let page = update.get_prev_documents().page_iter().next().unwrap();
    update.opt_clone_object_to_new_document(page).unwrap();
    update
        .new_document
        .get_object_mut(page)
        .unwrap()
        .as_dict_mut()
        .unwrap()
        .set("Rotate", 90);
    let mut bytes = Vec::new();
    update.save_to(&mut bytes).unwrap();

    let verification = judged(&bytes, &authority).unwrap();
    assert!(verification.intact && verification.trusted);
    assert!(!verification.covers_whole_document && !verification.is_valid());
    assert_eq!(verification.doubts, [Doubt::Appended]);

    let newline = [signed.as_slice(), b"\n"].concat();
    assert_eq!(judged(&newline, &authority).unwrap().doubts, [Doubt::Appended]);
}

#[tokio::test]
async fn a_signature_does_not_move_to_another_document() {
    let authority = Authority::new();
    let mut other = document();
    other.version = "1.6".into();
    let one = sign(&pdf(Style::Classic), &authority).await.unwrap().bytes;
    let mut two = sign(&saved(other, Style::Classic), &authority).await.unwrap().bytes;
    assert_eq!(one.len(), two.len());
    two[gap(&one)].copy_from_slice(&one[gap(&one)]);
    let verification = judged(&two, &authority).unwrap();
    assert!(!verification.intact);
    assert_eq!(verification.doubts, [Doubt::Changed]);
}

#[tokio::test]
async fn the_gap_hides_nothing() {
    let authority = Authority::new();
    let signed = sign(&pdf(Style::Classic), &authority).await.unwrap().bytes;
    let layout = |bytes: &[u8]| judged(bytes, &authority).err();
    let refused = Some(SignatureError::Pdf(PdfProblem::SignatureLayout));

    // A second range, in the same dictionary, spelled plainly or not; where there was padding, so that nothing moves.
    for second in ["/ByteRange[0 1 2 3]", "/Byte#52ange[0 1]", "/Contents<00>", "/#43ontents()"] {
        let mut twice = signed.clone();
        let padding = gap(&signed).start - "/Contents".len() - second.len();
        assert!(twice[padding..padding + second.len()].iter().all(|byte| *byte == b' '));
        twice[padding..padding + second.len()].copy_from_slice(second.as_bytes());
        assert_eq!(layout(&twice), refused, "{second}");
    }
    // Anything but zeros behind the CMS, anything but digits in the gap.
    for stowaway in [b"01", b") "] {
        let mut stuffed = signed.clone();
        let end = gap(&signed).end - 1;
        stuffed[end - 2..end].copy_from_slice(stowaway);
        assert_eq!(layout(&stuffed), refused);
    }
    // Ranges that start late, overlap, go beyond the file, or overflow.
    let range = signed.windows(11).rposition(|window| window == b"/ByteRange[").unwrap() + 11;
    for numbers in [
        "1 2 3 4]",
        "0 9 3 4]",
        "0 10 20 99999999]",
        "0 -1 5 5]",
        "0 1 2]",
        "0 1 9223372036854775807 9]",
    ] {
        let mut moved = signed.clone();
        moved[range..range + 40].fill(b' ');
        moved[range..range + numbers.len()].copy_from_slice(numbers.as_bytes());
        assert_eq!(layout(&moved), refused, "{numbers}");
    }
}

#[tokio::test]
async fn what_is_no_signature_is_not_called_one() {
    let authority = Authority::new();
    let unsigned = pdf(Style::Streams);
    assert_eq!(judged(&unsigned, &authority), Err(SignatureError::NotSigned));

    let signed = sign(&pdf(Style::Classic), &authority).await.unwrap().bytes;
    for cms in ["30820001", "3080", "0500", "300B06092A864886F70D010702"] {
        let mut emptied = signed.clone();
        let gap = gap(&signed);
        emptied[gap.start + 1..gap.end - 1].fill(b'0');
        emptied[gap.start + 1..gap.start + 1 + cms.len()].copy_from_slice(cms.as_bytes());
        assert!(matches!(judged(&emptied, &authority), Err(SignatureError::Pdf(_))), "{cms}");
    }
    let mut kind = signed.clone();
    let at = kind.windows(19).position(|window| window == b"ETSI.CAdES.detached").unwrap();
    kind[at..at + 19].copy_from_slice(b"adbe.x509.rsa_sha1.");
    assert_eq!(judged(&kind, &authority), Err(SignatureError::Pdf(PdfProblem::SignatureLayout)));
}

#[tokio::test]
async fn documents_that_cannot_be_signed_never_reach_the_service_for_a_signature() {
    let endless = || {
        let mut endless = document();
        let id = endless.trailer.get(b"Root").unwrap().as_reference().unwrap();
        endless
            .get_dictionary_mut(id)
            .unwrap()
            .set("AcroForm", dictionary! { "XFA" => Object::string_literal("x") });
        saved(endless, Style::Classic)
    };
    let pageless = || {
        let mut pageless = document();
        let pages = pageless.catalog().unwrap().get(b"Pages").unwrap().as_reference().unwrap();
        pageless.get_dictionary_mut(pages).unwrap().set("Kids", Vec::<Object>::new());
        saved(pageless, Style::Classic)
    };
    let encrypted = || {
        let mut encrypted = document();
        encrypted
            .trailer
            .set("Encrypt", dictionary! { "Filter" => "Standard", "V" => 5, "R" => 6 });
        saved(encrypted, Style::Classic)
    };
    let cut = || {
        let whole = pdf(Style::Classic);
        whole[..whole.len() / 2].to_vec()
    };
    let shifted = [b"garbage\n".as_slice(), &pdf(Style::Classic)].concat();
    let signed = sign(&pdf(Style::Classic), &Authority::new()).await.unwrap().bytes;
    for (bytes, problem) in [
        (Vec::new(), PdfProblem::Damaged),
        (b"%PDF-1.7\n".to_vec(), PdfProblem::Damaged),
        (b"<html>".to_vec(), PdfProblem::Damaged),
        (vec![b'%'; 70 * 1024 * 1024], PdfProblem::TooLarge),
        (shifted, PdfProblem::Damaged),
        (cut(), PdfProblem::Damaged),
        (endless(), PdfProblem::Xfa),
        (pageless(), PdfProblem::NoPage),
        (signed.to_vec(), PdfProblem::AlreadySigned),
    ] {
        let authority = Authority::new();
        assert_eq!(sign(&bytes, &authority).await.err(), Some(SignatureError::Pdf(problem)));
        assert_eq!(authority.called(), ["certificate"]);
    }
    let locked = sign(&encrypted(), &Authority::new()).await.err();
    assert!(
        matches!(locked, Some(SignatureError::Pdf(PdfProblem::Encrypted | PdfProblem::Damaged))),
        "{locked:?}"
    );
}

#[test]
fn fields_in_circles_end() {
    let mut circle = document();
    let field = circle.new_object_id();
    circle.objects.insert(
        field,
        Object::Dictionary(dictionary! { "Kids" => vec![field.into(), field.into()] }),
    );
    let root = circle.trailer.get(b"Root").unwrap().as_reference().unwrap();
    circle
        .get_dictionary_mut(root)
        .unwrap()
        .set("AcroForm", dictionary! { "Fields" => vec![field.into()] });
    let bytes = saved(circle, Style::Classic);
    assert_eq!(judged(&bytes, &Authority::new()), Err(SignatureError::NotSigned));
}

/// What unfolds beyond measure is refused before anybody is asked to sign it, however it is folded.
#[test]
fn what_unfolds_to_gigabytes_is_refused() {
    let zeros = || vec![0_u8; 33 * 1024 * 1024];
    let folded = |content: Vec<u8>| {
        let mut stream = Stream::new(dictionary! {}, content);
        stream.compress().unwrap();
        stream
    };
    let with = |streams: Vec<Stream>| {
        let mut holder = document();
        for stream in streams {
            holder.add_object(stream);
        }
        saved(holder, Style::Classic)
    };
    let refusal = |pdf: &[u8]| check_pdf(pdf, pdf.len()).err();
    let too_large = Some(SignatureError::Pdf(PdfProblem::TooLarge));

    let once = folded(zeros());
    let small = with(vec![once.clone()]);
    assert!(small.len() < 100_000, "{}", small.len());
    assert_eq!(refusal(&small), too_large);

    // Twice, and by an abbreviation, and by a reference.
    let mut twice = folded(once.content.clone());
    let mut holder = document();
    let names = holder.add_object(Object::Array(vec!["Fl".into(), "FlateDecode".into()]));
    twice.dict.set("Filter", names);
    holder.add_object(twice);
    let twice = saved(holder, Style::Classic);
    assert!(twice.len() < 10_000, "{}", twice.len());
    assert_eq!(refusal(&twice), too_large);

    // Each within bounds, all together not.
    let page = folded(vec![0; 31 * 1024 * 1024]);
    assert_eq!(refusal(&with(vec![page.clone(); 8])), None);
    assert_eq!(refusal(&with(vec![page; 9])), too_large);

    // A picture is as large as it is.
    let mut picture = Stream::new(dictionary! { "Filter" => "DCTDecode" }, vec![0; 100_000]);
    picture.dict.set("Subtype", "Image");
    assert_eq!(refusal(&with(vec![picture])), None);
}

/// A stream of objects takes a hundred times its size in memory: sixty-five kilobytes must not take gigabytes.
#[test]
fn a_small_stream_of_very_many_objects_is_refused() {
    let mut bomb = document();
    let mut objects = Stream::new(dictionary! { "Type" => "ObjXxx", "N" => 1, "First" => 5 }, {
        let mut content = b"99 0 [".to_vec();
        content.extend(b"0 ".repeat(30 * 1024 * 1024));
        content
    });
    objects.compress().unwrap();
    bomb.add_object(objects);
    let mut bytes = saved(bomb, Style::Classic);
    // Whoever writes files does not write such streams as they are.
    let at = bytes.windows(6).position(|word| word == b"ObjXxx").unwrap();
    bytes[at..at + 6].copy_from_slice(b"ObjStm");
    assert!(bytes.len() < 100_000, "{}", bytes.len());
    assert_eq!(check_pdf(&bytes, bytes.len()), Err(SignatureError::Pdf(PdfProblem::Damaged)));
    assert_eq!(judged(&bytes, &Authority::new()), Err(SignatureError::Pdf(PdfProblem::Damaged)));
}
