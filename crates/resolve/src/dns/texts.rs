//! Keys in text records.

use std::collections::BTreeMap;

use telehash_hashname::{Csid, Hashname, KeyPart, KeySet, base32};

use super::DnsError;

/// Strings in the text records of one host; with more they are refused as a whole.
pub const MAX_TEXT_STRINGS: usize = 64;

/// Characters of a key in one string; what is longer is cut.
const PIECE_LEN: usize = 250;

/// The strings of one TXT record.
pub type TextRecord = Vec<Vec<u8>>;

/// The keys that the text records of a host hold: all of them, or they would not make its hashname.
///
/// A string without `=` goes on with the one before it in its record. Strings that are no keys, such
/// as those of mail or of domain checks, are passed over.
///
/// # Errors
///
/// There are none, some are missing or broken, or they are those of another endpoint.
pub fn keys(hashname: &Hashname, records: &[TextRecord]) -> Result<KeySet, DnsError> {
    let count: usize = records.iter().map(Vec::len).sum();
    if count > MAX_TEXT_STRINGS {
        return Err(DnsError::TooManyTexts { count });
    }
    let mut pieces = Pieces::default();
    for record in records {
        pieces.read(record)?;
    }
    let keys = pieces.join()?;
    match keys.hashname() {
        None => Err(DnsError::NoKeys),
        Some(found) if found == *hashname => Ok(keys),
        Some(_) => Err(DnsError::WrongKeys {
            hashname: *hashname,
        }),
    }
}

/// The strings that say these keys, each for a text record of its own.
///
/// `None` unless all keys are known in full: without one of them nobody could verify the hashname.
#[must_use]
pub fn texts(keys: &KeySet) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    for (csid, part) in keys.iter() {
        let KeyPart::Key(key) = part else {
            return None;
        };
        let text = base32::encode(key);
        // Base32 is ASCII, so that any cut is between characters.
        for (index, piece) in text.as_bytes().chunks(PIECE_LEN).enumerate() {
            let piece = String::from_utf8_lossy(piece);
            texts.push(match index {
                0 => format!("{csid}={piece}"),
                _ => format!("{csid}{}={piece}", index + 1),
            });
        }
    }
    Some(texts)
}

/// The pieces of keys, by cipher set and number.
#[derive(Default)]
struct Pieces(BTreeMap<(Csid, u8), Vec<u8>>);

impl Pieces {
    fn read(&mut self, record: &TextRecord) -> Result<(), DnsError> {
        let mut items: Vec<Vec<u8>> = Vec::new();
        for string in record {
            match items.last_mut() {
                Some(last) if !string.contains(&b'=') => last.extend_from_slice(string),
                _ => items.push(string.clone()),
            }
        }
        for item in items {
            if let Some((name, piece)) = piece(&item) {
                self.add(name, piece)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: (Csid, u8), piece: &[u8]) -> Result<(), DnsError> {
        match self.0.insert(name, piece.to_vec()) {
            Some(earlier) if earlier != piece => Err(DnsError::Contradiction { csid: name.0 }),
            _ => Ok(()),
        }
    }

    fn join(self) -> Result<KeySet, DnsError> {
        let mut texts: BTreeMap<Csid, Vec<u8>> = BTreeMap::new();
        let mut next: BTreeMap<Csid, u8> = BTreeMap::new();
        // In order of their numbers.
        for ((csid, number), piece) in self.0 {
            let expected = next.entry(csid).or_insert(1);
            if number != *expected {
                return Err(DnsError::PieceMissing { csid });
            }
            *expected = number.saturating_add(1);
            texts.entry(csid).or_default().extend(piece);
        }
        let mut keys = KeySet::new();
        for (csid, text) in texts {
            let text = String::from_utf8_lossy(&text);
            let key = base32::decode(&text).map_err(|error| DnsError::Base32 { csid, error })?;
            keys.insert_key(csid, key)?;
        }
        Ok(keys)
    }
}

/// The name and the value of a string such as `2a2=…`; `None` for one that is no piece of a key.
fn piece(item: &[u8]) -> Option<((Csid, u8), &[u8])> {
    let equals = item.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&item[..equals], &item[equals + 1..]);
    let name = std::str::from_utf8(name).ok()?;
    let (csid, number) = name.split_at_checked(2)?;
    let number = match number {
        "" => 1,
        _ if number.starts_with(|c: char| ('1'..='9').contains(&c)) => number.parse().ok()?,
        _ => return None,
    };
    let is_alias_of_first = name.len() > 2 && number == 1;
    match is_alias_of_first {
        true => None,
        false => Some(((csid.parse().ok()?, number), value)),
    }
}
