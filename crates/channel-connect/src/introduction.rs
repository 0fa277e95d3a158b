//! Introductions: the keys of somebody who does not know ours (links.md, "Handshake").

use alloc::{string::ToString, vec::Vec};

use serde_json::{Map, Value};
use telehash_hashname::{Csid, KeySet, KeySetError};
use telehash_lob::{JsonError, Lob, LobError};

/// Limit: bytes of an introduction; a longer one is refused before it is read.
pub const MAX_INTRODUCTION: usize = 4096;

/// `{"type":"link","csid":"3a"[,"at":N]}` with the attached packet of a handshake: who the sender is,
/// unencrypted and unproven. It makes no session; the answer to it is a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Introduction {
    /// The cipher set whose key it brings.
    pub csid: Csid,
    /// That key, and the intermediates of the others. The hashname follows from them.
    pub keys: KeySet,
    /// Groups what was sent together.
    pub at: Option<u64>,
}

impl Introduction {
    /// One introduction for each key of this set.
    pub fn of_each(keys: &KeySet) -> impl Iterator<Item = Self> + '_ {
        let known = keys.csids().rev().filter(|csid| keys.key(*csid).is_some());
        known.map(|csid| Self {
            csid,
            keys: with_one_key(keys, csid),
            at: None,
        })
    }

    /// Reads the BODY of a `connect`.
    ///
    /// # Errors
    /// See [`IntroductionError`]; the sender is to get no answer.
    pub fn from_bytes(body: &[u8]) -> Result<Self, IntroductionError> {
        if body.len() > MAX_INTRODUCTION {
            return Err(IntroductionError::TooLong);
        }
        let lob = Lob::parse(body)?;
        let head = lob.json()?;
        let text = |name| head.get(name).and_then(Value::as_str);
        if text("type").unwrap_or("link") != "link" {
            return Err(IntroductionError::OtherType);
        }
        let csid = text("csid").and_then(|csid| csid.parse().ok());
        let csid = csid.ok_or(IntroductionError::Csid)?;
        let attached = Lob::parse(lob.body())?;
        let keys = KeySet::from_attached(csid, &attached.json()?, attached.body())?;
        let at = head.get("at").and_then(Value::as_u64);
        Ok(Self { csid, keys, at })
    }

    /// The bytes, as JS writes them: the key in use has its intermediate.
    ///
    /// # Errors
    /// The key of `csid` is missing, or there are more than fit.
    pub fn to_bytes(&self) -> Result<Vec<u8>, IntroductionError> {
        let key = self.keys.key(self.csid).ok_or(IntroductionError::Csid)?;
        let mut attached = self.keys.attached_head(self.csid);
        if let Some(intermediate) = self.keys.intermediate(self.csid) {
            attached.insert(self.csid.to_string(), intermediate.to_string().into());
        }
        let mut head = Map::new();
        head.insert("type".into(), "link".into());
        head.insert("csid".into(), self.csid.to_string().into());
        if let Some(at) = self.at {
            head.insert("at".into(), at.into());
        }
        let attached = telehash_lob::encode_json(&attached, key)?;
        let bytes = telehash_lob::encode_json(&head, &attached)?;
        match bytes.len() {
            0..=MAX_INTRODUCTION => Ok(bytes),
            _ => Err(IntroductionError::TooLong),
        }
    }
}

/// The same set with all keys but one as intermediates.
fn with_one_key(keys: &KeySet, csid: Csid) -> KeySet {
    let mut one = KeySet::new();
    for (other, part) in keys.iter() {
        let key = keys.key(other).filter(|_| other == csid);
        // What was in a set is accepted by another.
        let _ = match key {
            Some(key) => one.insert_key(other, key.to_vec()),
            None => one.insert_intermediate(other, part.intermediate()),
        };
    }
    one
}

/// Why bytes are no introduction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntroductionError {
    /// More than [`MAX_INTRODUCTION`] bytes.
    #[error("the introduction is too long")]
    TooLong,
    /// No LOB packet, or nothing attached.
    #[error("the introduction is no packet: {0}")]
    Packet(#[from] LobError),
    /// No acceptable JSON.
    #[error("the introduction cannot be read: {0}")]
    Head(#[from] JsonError),
    /// An unencrypted message of another type.
    #[error("it is no introduction but another unencrypted message")]
    OtherType,
    /// It names no cipher set, or one whose key is missing.
    #[error("the introduction names no cipher set that it has a key of")]
    Csid,
    /// The attached keys make no key set.
    #[error("the keys of the introduction are unusable: {0}")]
    Keys(#[from] KeySetError),
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn keys() -> KeySet {
        let mut keys = KeySet::new();
        keys.insert_key(Csid::CS1A, vec![5; 21]).unwrap();
        keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
        keys
    }

    #[test]
    fn each_introduction_brings_one_key_and_all_of_them_one_hashname() {
        let keys = keys();
        let introductions: Vec<_> = Introduction::of_each(&keys).collect();
        let csids: Vec<_> = introductions.iter().map(|one| one.csid).collect();
        assert_eq!(csids, [Csid::CS3A, Csid::CS1A]);
        for one in introductions {
            let read = Introduction::from_bytes(&one.to_bytes().unwrap()).unwrap();
            assert_eq!(read.keys.hashname(), keys.hashname());
            assert_eq!(read.keys.key(one.csid), keys.key(one.csid));
        }
    }

    #[test]
    fn what_was_sent_together_stays_together() {
        let mut one = Introduction::of_each(&keys()).next().unwrap();
        one.at = Some(7);
        assert_eq!(
            Introduction::from_bytes(&one.to_bytes().unwrap()).unwrap(),
            one
        );
    }

    #[test]
    fn an_introduction_beyond_the_limit_is_refused_unread() {
        let one = Introduction::of_each(&keys()).next().unwrap();
        let attached = telehash_lob::encode_json(&one.keys.attached_head(one.csid), &[7; 32]);
        let of_len = |len: usize| {
            let mut head = Map::new();
            head.insert("type".into(), "link".into());
            head.insert("csid".into(), "3a".into());
            head.insert("pad".into(), "".into());
            let bytes = telehash_lob::encode_json(&head, attached.as_ref().unwrap()).unwrap();
            let pad = "x".repeat(len - bytes.len());
            head.insert("pad".into(), pad.into());
            telehash_lob::encode_json(&head, attached.as_ref().unwrap()).unwrap()
        };
        assert!(Introduction::from_bytes(&of_len(MAX_INTRODUCTION)).is_ok());
        let longer = Introduction::from_bytes(&of_len(MAX_INTRODUCTION + 1));
        assert!(matches!(longer, Err(IntroductionError::TooLong)));
    }

    #[test]
    fn what_is_no_introduction_is_refused() {
        let one = Introduction::of_each(&keys()).next().unwrap();
        let good = one.to_bytes().unwrap();
        let changed = |from: &str, to: &str| {
            let text: Vec<u8> = good.clone();
            let at = text
                .windows(from.len())
                .position(|window| window == from.as_bytes())
                .unwrap();
            [&text[..at], to.as_bytes(), &text[at + from.len()..]].concat()
        };
        let refused = |body: &[u8]| Introduction::from_bytes(body).unwrap_err();
        let other = refused(&changed("\"link\"", "\"blob\""));
        assert!(matches!(other, IntroductionError::OtherType));
        let nameless = refused(&changed("\"csid\"", "\"cxid\""));
        assert!(matches!(nameless, IntroductionError::Csid));
        let mismatch = refused(&changed("\"csid\":\"3a\"", "\"csid\":\"1a\""));
        assert!(matches!(mismatch, IntroductionError::Keys(_)));
        assert!(Introduction::from_bytes(&[0, 1, 0x3a, 1, 2, 3]).is_err());
    }
}
