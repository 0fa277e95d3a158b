//! Tokens: how a channel packet names the session it belongs to.

use core::fmt;

use sha2::{Digest, Sha256};

/// The routing token of one side of an exchange (cipher-sets.md, Token).
///
/// `SHA256(first 16 bytes of a message BODY)[0..16]`. Those bytes are the sender's ephemeral key
/// (or begin it), so they are the same in all messages of an exchange. A channel packet carries the
/// token of its *recipient*: whoever receives it finds the session by looking its own token up.
///
/// Tokens travel in clear; they are no secrets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; Self::LEN]);

impl Token {
    /// Bytes in a token, and bytes at the start of a message BODY that decide it.
    pub const LEN: usize = 16;

    /// The token of the sender of a message with this BODY, or `None` if it is shorter than 16
    /// bytes.
    #[must_use]
    pub fn of_body(body: &[u8]) -> Option<Self> {
        Some(Self::of_prefix(body.first_chunk()?))
    }

    /// The token that the first 16 bytes of a message BODY decide.
    #[must_use]
    pub fn of_prefix(prefix: &[u8; Self::LEN]) -> Self {
        Self::from_digest(Sha256::new().chain_update(prefix))
    }

    /// The second token of the sender of a message with this BODY, which marks channel packets to
    /// it of which only the first 64 bytes are cloaked (packets.md, head-only cloaking); `None` if
    /// the BODY is shorter than 16 bytes.
    #[must_use]
    pub fn head_only_of_body(body: &[u8]) -> Option<Self> {
        Some(Self::head_only_of_prefix(body.first_chunk()?))
    }

    /// The second token that the first 16 bytes of a message BODY decide.
    #[must_use]
    pub fn head_only_of_prefix(prefix: &[u8; Self::LEN]) -> Self {
        Self::from_digest(Sha256::new().chain_update(prefix).chain_update(b"head"))
    }

    /// The token with these bytes, as a channel packet carries them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes of the token, as a channel packet carries them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn from_digest(hash: Sha256) -> Self {
        let digest: [u8; 32] = hash.finalize().into();
        let mut token = [0; Self::LEN];
        token.copy_from_slice(&digest[..Self::LEN]);
        Self(token)
    }
}

impl fmt::Display for Token {
    /// 32 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn only_the_first_sixteen_bytes_of_a_body_count() {
        let body: [u8; 20] = core::array::from_fn(|i| i as u8);
        let other: [u8; 16] = core::array::from_fn(|i| i as u8);
        assert_eq!(Token::of_body(&body), Token::of_body(&other));
        assert_eq!(Token::of_body(&body), Some(Token::of_prefix(&other)));
        assert_ne!(Token::of_body(&body), Token::of_body(&body[1..]));
    }

    #[test]
    fn a_body_of_fifteen_bytes_has_no_token() {
        assert_eq!(Token::of_body(&[0; 15]), None);
        assert_eq!(Token::head_only_of_body(&[0; 15]), None);
    }

    #[test]
    fn the_head_only_token_is_another_one() {
        assert_ne!(Token::of_body(&[7; 16]), Token::head_only_of_body(&[7; 16]));
    }

    #[test]
    fn a_token_is_shown_as_hex() {
        let token = Token::from_bytes(core::array::from_fn(|i| i as u8));
        assert_eq!(token.to_string(), "000102030405060708090a0b0c0d0e0f");
    }
}
