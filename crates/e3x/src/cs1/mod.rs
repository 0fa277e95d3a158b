//! CS1a and CS1c: one construction of AES-128-CTR and HMAC-SHA-256 on two curves, secp160r1 and
//! P-256 (cipher-sets.md, CS1a and CS1c).
//!
//! ```text
//! message BODY = KEY(21 or 33) IV(4) CT HMAC(4)
//!   AES key    = fold1(SHA256(ECDH(ephemeral, recipient identity)))
//!   HMAC       = fold3(HMAC-SHA256(ECDH(sender identity, recipient identity) || IV, KEY || IV || CT))
//! channel BODY = TOKEN(16) IV(4) CT HMAC(4)
//!   key        = fold1(SHA256(ECDH(ephemeral, ephemeral) || sender's KEY || recipient's KEY))
//!   HMAC       = fold3(HMAC-SHA256(key || IV, CT))
//! CT           = AES-128-CTR(key, first counter block = IV || 12 zero bytes)
//! ```
//!
//! # IVs
//!
//! Two texts under one AES key and IV would give away the XOR of both. Every key has one sender and
//! one counter of IVs, from a random start, for 2^31 packets: a counter for the messages of one
//! ephemeral to one recipient, which lives and dies with the ephemeral, and one for the channel
//! packets of one session. The key of the two directions of a session differs in the order of the
//! KEYs; an exchange never makes a second session, whose counter would start anew, from one pair of
//! ephemerals. Blocks of different packets never meet, as an IV leaves 2^96 blocks to its packet.
//!
//! The key that authenticates messages is that of both identities and the IV, the same in both
//! directions and after any restart. HMAC does not mind: the text that it covers begins with the
//! ephemeral, and no part of the key is used up. So a message can be replayed, as in all of these
//! sets (links.md says what `at` is for), and reflected; one that is, with an ephemeral of ours that
//! we no longer know, decrypts to noise.
//!
//! # What a message proves
//!
//! Nothing before [`Exchange::verify`](crate::Exchange::verify): decryption has no MAC of its own,
//! so whatever is as long as a message, with a KEY on the curve, opens to something. After it, little
//! enough: four bytes ([`Exchange::weak_mac`](crate::Exchange::weak_mac)).

mod cipher;
#[cfg(feature = "cs1a")]
mod cs1a;
#[cfg(feature = "cs1c")]
mod cs1c;
mod curve;
mod exchange;
mod iv;
mod key;
mod message;
#[cfg(feature = "cs1a")]
mod secp160r1;
mod session;
#[cfg(test)]
mod tests;

#[cfg(feature = "cs1a")]
pub use self::cs1a::Cs1a;
#[cfg(feature = "cs1c")]
pub use self::cs1c::Cs1c;
