//! Messages, sealed for their recipient: E3X messages that carry who sent them, and when.
//!
//! The inner packet is a LOB with the head `{"type":"box","at":milliseconds,"csid":…,"keys":{…},"key":…}`:
//! the sender's key of the cipher set in use, and the intermediates of its others. Its body is the
//! content.

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_e3x::{Identity, message};
use telehash_hashname::{Hashname, KeySet, base32};
use telehash_lob::Lob;
use thiserror::Error;

use crate::id::{BoxId, MessageId};
use crate::limits::MAX_MESSAGE;

/// A message that came, from whom it says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Letter {
    /// Who sent it. That is proved.
    pub from: Hashname,
    /// The sender's keys, as far as the message has them: enough to answer.
    pub keys: KeySet,
    /// Its name, the same whichever way it came.
    pub id: MessageId,
    /// When the sender says that it sent it, in milliseconds since 1970.
    pub at: u64,
    /// What it says.
    pub body: Bytes,
}

/// Seals `body` for whoever has the keys `to`.
///
/// # Errors
/// The two have no cipher set in common, the key of that one is not known, or the message is too large.
pub(crate) fn seal(
    from: &Identity,
    to: &KeySet,
    at: u64,
    body: &[u8],
    rng: &mut dyn rand_core::CryptoRng,
) -> Result<Bytes, SealError> {
    let csid = from.keys().agreed(to);
    let csid = csid.ok_or(message::Error::NoCommonSet)?;
    let key = from.keys().key(csid);
    let key = key.ok_or(message::Error::UnknownKey { csid })?;
    let keys = Value::Object(from.keys().attached_head(csid));
    let head = Map::from_iter([
        ("type".to_owned(), "box".into()),
        ("at".to_owned(), at.into()),
        ("csid".to_owned(), csid.to_string().into()),
        ("keys".to_owned(), keys),
        ("key".to_owned(), base32::encode(key).into()),
    ]);
    // What is too large anyway is not copied and encrypted first.
    let too_large = SealError::TooLarge { limit: MAX_MESSAGE };
    if body.len() > MAX_MESSAGE {
        return Err(too_large);
    }
    let inner = telehash_lob::encode_json(&head, body).map_err(|_| too_large)?;
    let packet = message::seal(from, to, &inner, rng)?;
    match packet.len() {
        0..=MAX_MESSAGE => Ok(packet.into()),
        _ => Err(too_large),
    }
}

/// Opens a message, and proves who sent it. It says no more than this about one that is not in order.
pub(crate) fn open(
    to: &Identity,
    packet: &[u8],
    rng: &mut dyn rand_core::CryptoRng,
) -> Option<Letter> {
    let message = message::open(to, packet).ok()?;
    let inner = Lob::parse(message.inner()).ok()?;
    let head = inner.json().ok()?;
    let text = |field: &str| head.get(field).and_then(Value::as_str);
    let right = text("type") == Some("box") && text("csid") == Some(&message.csid().to_string());
    let key = base32::decode(text("key").filter(|_| right)?).ok()?;
    let keys = head.get("keys")?.as_object()?;
    let keys = KeySet::from_attached(message.csid(), keys, &key).ok()?;
    let at = head.get("at")?.as_u64()?;
    message.verify(to, &keys, rng).ok()?;
    let from = keys.hashname()?;
    Some(Letter {
        from,
        keys,
        id: MessageId::new(&BoxId::new(&from, &to.hashname()), packet),
        at,
        body: Bytes::copy_from_slice(inner.body()),
    })
}

/// Why a message could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The message is too large.
    #[error("the message is larger than the {limit} bytes that one may have when it is encrypted")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The recipient's keys do not do.
    #[error(transparent)]
    Message(#[from] message::Error),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;
    use telehash_e3x::CipherSets;
    use telehash_hashname::Csid;

    use super::*;

    /// Of one endpoint.
    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([103; 32])
    }

    /// What another endpoint makes of it.
    fn opened(to: &Identity, sealed: &[u8]) -> Option<Letter> {
        open(to, sealed, &mut ChaCha20Rng::from_seed([104; 32]))
    }

    fn identity(seed: u8) -> Identity {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        Identity::generate(&CipherSets::default(), &[Csid::CS3A], &mut rng).unwrap()
    }

    #[test]
    fn a_letter_says_from_whom_it_is_and_opens_for_its_recipient_alone() {
        let (ann, bob, eve) = (identity(1), identity(2), identity(3));
        let sealed = seal(&ann, bob.keys(), 42, b"hello", &mut rng()).unwrap();
        let letter = opened(&bob, &sealed).unwrap();
        assert_eq!((letter.from, letter.at), (ann.hashname(), 42));
        assert_eq!(&letter.body[..], b"hello");
        assert_eq!(letter.keys.hashname(), Some(ann.hashname()));
        assert_eq!(opened(&eve, &sealed), None);
        assert_eq!(opened(&ann, &sealed), None);
    }

    #[test]
    fn nobody_writes_in_the_name_of_somebody_else() {
        let (ann, bob, eve) = (identity(1), identity(2), identity(3));
        // What eve says is sealed by her, and has the keys of ann.
        let keys = Value::Object(ann.keys().attached_head(Csid::CS3A));
        let head = serde_json::json!({
            "type": "box", "at": 1, "csid": "3a", "keys": keys,
            "key": base32::encode(ann.keys().key(Csid::CS3A).unwrap()),
        });
        let inner = telehash_lob::encode_json(head.as_object().unwrap(), b"pay eve").unwrap();
        let sealed = message::seal(&eve, bob.keys(), &inner, &mut rng()).unwrap();
        assert_eq!(opened(&bob, &sealed), None);
    }

    #[test]
    fn the_largest_letter_is_sealed_and_a_larger_one_is_not() {
        let (ann, bob) = (identity(1), identity(2));
        let sealed = |len| seal(&ann, bob.keys(), 0, &vec![0; len], &mut rng());
        let overhead = sealed(0).unwrap().len();
        let largest = sealed(MAX_MESSAGE - overhead).unwrap();
        assert_eq!(largest.len(), MAX_MESSAGE);
        assert!(opened(&bob, &largest).is_some());
        for len in [MAX_MESSAGE - overhead + 1, MAX_MESSAGE + 1] {
            let error = sealed(len).unwrap_err();
            assert_eq!(error, SealError::TooLarge { limit: MAX_MESSAGE });
        }
    }

    #[test]
    fn without_the_recipients_key_there_is_no_letter() {
        let ann = identity(1);
        let error = seal(&ann, &KeySet::new(), 0, b"", &mut rng()).unwrap_err();
        assert_eq!(error, SealError::Message(message::Error::NoCommonSet));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_changed_byte_goes_unnoticed(at in any::<prop::sample::Index>(), by in 1_u8..) {
            let (ann, bob) = (identity(1), identity(2));
            let mut sealed = seal(&ann, bob.keys(), 1, b"a few words", &mut rng()).unwrap().to_vec();
            let at = at.index(sealed.len());
            sealed[at] ^= by;
            prop_assert_eq!(opened(&bob, &sealed), None);
        }
    }
}
