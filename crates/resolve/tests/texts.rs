//! Keys in text records, without a name server.

use telehash_hashname::{Csid, Hashname, KeySet};
use telehash_resolve::dns::{self, TextRecord};
use telehash_resolve::{DnsError, limits::MAX_TEXT_STRINGS};

/// Keys of two cipher sets; the one of CS2a takes two strings.
fn keys() -> KeySet {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
    keys.insert_key(Csid::CS2A, (0..294u32).map(|byte| byte as u8).collect())
        .unwrap();
    keys
}

fn hashname() -> Hashname {
    keys().hashname().unwrap()
}

/// A record for each string.
fn records(texts: &[impl AsRef<str>]) -> Vec<TextRecord> {
    let record = |text: &dyn AsRef<str>| vec![text.as_ref().as_bytes().to_vec()];
    texts.iter().map(|text| record(text)).collect()
}

fn read(texts: &[impl AsRef<str>]) -> Result<KeySet, DnsError> {
    dns::keys(&hashname(), &records(texts))
}

#[test]
fn what_is_published_is_read_in_any_order() {
    let mut texts = dns::texts(&keys()).unwrap();
    let names: Vec<_> = texts
        .iter()
        .map(|text| text.split('=').next().unwrap())
        .collect();
    assert_eq!(names, ["2a", "2a2", "3a"]);
    assert!(texts.iter().all(|text| text.len() <= 255), "{texts:?}");
    texts.reverse();
    assert_eq!(read(&texts), Ok(keys()));
}

#[test]
fn a_key_of_ten_pieces_is_put_together_by_number() {
    let mut long = KeySet::new();
    long.insert_key(Csid::CS2A, (0..1600u32).map(|byte| byte as u8).collect())
        .unwrap();
    let texts = dns::texts(&long).unwrap();
    assert!(
        texts.iter().any(|text| text.starts_with("2a10=")),
        "{texts:?}"
    );
    let hashname = long.hashname().unwrap();
    assert_eq!(dns::keys(&hashname, &records(&texts)), Ok(long));
}

#[test]
fn strings_of_one_record_are_items_or_go_on_with_one() {
    let texts = dns::texts(&keys()).unwrap();
    let strings: TextRecord = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    assert_eq!(dns::keys(&hashname(), &[strings]), Ok(keys()));
    let cut = texts.iter().map(|text| {
        let (head, tail) = text.as_bytes().split_at(40);
        vec![head.to_vec(), tail.to_vec()]
    });
    assert_eq!(dns::keys(&hashname(), &cut.collect::<Vec<_>>()), Ok(keys()));
}

#[test]
fn strings_that_are_no_keys_do_not_matter() {
    let mut texts = dns::texts(&keys()).unwrap();
    for other in [
        "v=spf1 -all",
        "",
        "=",
        "3a",
        "zz=a",
        "3a0=a",
        "3a1=a",
        "3ax=a",
        "3a999=a",
        "\u{e9}=a",
    ] {
        texts.push(other.to_owned());
    }
    assert_eq!(read(&texts), Ok(keys()));
    assert_eq!(read(&["v=spf1 -all"]), Err(DnsError::NoKeys));
    assert_eq!(read(&[] as &[&str]), Err(DnsError::NoKeys));
}

#[test]
fn keys_of_somebody_else_or_without_one_of_them_are_refused() {
    let wrong = Err(DnsError::WrongKeys {
        hashname: hashname(),
    });
    let texts = dns::texts(&keys()).unwrap();
    assert_eq!(read(&texts[2..]), wrong);
    assert_eq!(read(&["3a=aaaa"]), wrong);
    let mut more = texts.clone();
    more.push("1a=aaaa".to_owned());
    assert_eq!(read(&more), wrong);
}

#[test]
fn a_broken_key_says_which() {
    let texts = dns::texts(&keys()).unwrap();
    let csid = Csid::CS2A;
    assert_eq!(read(&texts[1..]), Err(DnsError::PieceMissing { csid }));
    let mut twice = texts.clone();
    twice.push(texts[0].clone());
    assert_eq!(read(&twice), Ok(keys()));
    twice.push("2a=aaaa".to_owned());
    assert_eq!(read(&twice), Err(DnsError::Contradiction { csid }));
    assert!(matches!(read(&["2a=18"]), Err(DnsError::Base32 { .. })));
    assert!(matches!(read(&["2a="]), Err(DnsError::Key(_))));
}

#[test]
fn one_string_more_than_the_limit_is_refused() {
    let mut texts = dns::texts(&keys()).unwrap();
    texts.resize(MAX_TEXT_STRINGS, "other".to_owned());
    assert_eq!(read(&texts), Ok(keys()));
    texts.push("other".to_owned());
    let count = MAX_TEXT_STRINGS + 1;
    assert_eq!(read(&texts), Err(DnsError::TooManyTexts { count }));
}

#[test]
fn keys_that_are_known_by_their_hash_only_cannot_be_published() {
    let mut partial = KeySet::new();
    let hash = keys().intermediate(Csid::CS2A).unwrap();
    partial.insert_intermediate(Csid::CS2A, hash).unwrap();
    assert_eq!(dns::texts(&partial), None);
}
