//! What a router URI says of the peer behind it (uri.md, "Router URI").

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use subtle::ConstantTimeEq as _;
use telehash_hashname::{Base32Error, Hashname, base32};

/// Bytes of a digest.
const DIGEST_LEN: usize = 8;

/// Bytes of the custom part in JavaScript's form.
const JS_CUSTOM_LEN: usize = 8;

/// Longest custom part in bytes; a longer one is refused, read or made.
pub const MAX_CUSTOM_LEN: usize = 64;

/// Longest base32 that is decoded: that of the longest custom part.
const LONGEST_TEXT: usize = (MAX_CUSTOM_LEN * 8).div_ceil(5);

/// The fragment of a router URI: `base32(digest8) "." base32(custom)`.
///
/// The digest is a SipHash of the custom bytes, keyed with the hashname of the peer that shares the
/// URI: whoever holds the URI learns nothing of that hashname, and yet knows the peer when it meets
/// it. A URI that says less has the digest alone.
///
/// ```
/// use telehash_hashname::Hashname;
/// use telehash_uri::Fragment;
///
/// let peer = Hashname::from_bytes([7; 32]);
/// let whole = Fragment::new(&peer, b"12345678")?;
/// assert!(whole.is_of(&peer) && !whole.is_of(&Hashname::from_bytes([8; 32])));
///
/// let shared: Fragment = whole.digest_only().to_string().parse()?;
/// assert!(shared.is_answered_by(&whole, &peer));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    digest: [u8; DIGEST_LEN],
    custom: Option<Vec<u8>>,
}

impl Fragment {
    /// The fragment with which `peer` shares a URI; `custom` is another for each URI that it shares.
    ///
    /// # Errors
    ///
    /// `custom` is empty or longer than [`MAX_CUSTOM_LEN`].
    pub fn new(peer: &Hashname, custom: &[u8]) -> Result<Self, FragmentError> {
        Ok(Self {
            digest: peer.siphash(custom),
            custom: Some(checked_custom(custom.into())?),
        })
    }

    /// The digest.
    #[must_use]
    pub const fn digest(&self) -> &[u8; DIGEST_LEN] {
        &self.digest
    }

    /// The custom bytes, by which the peer knows which of its URIs this is; `None` if the fragment
    /// is the digest alone.
    #[must_use]
    pub fn custom(&self) -> Option<&[u8]> {
        self.custom.as_deref()
    }

    /// The same without the custom bytes.
    #[must_use]
    pub const fn digest_only(&self) -> Self {
        Self {
            digest: self.digest,
            custom: None,
        }
    }

    /// Whether this is the whole fragment of a URI that `peer` shares. Never of one that lacks the
    /// custom bytes: nothing proves whose it is.
    #[must_use]
    pub fn is_of(&self, peer: &Hashname) -> bool {
        let made_by = |custom: &Vec<u8>| peer.siphash(custom).ct_eq(&self.digest).into();
        self.custom.as_ref().is_some_and(made_by)
    }

    /// Whether `answer`, which came from `peer`, shows that `peer` shared the URI with this
    /// fragment.
    #[must_use]
    pub fn is_answered_by(&self, answer: &Self, peer: &Hashname) -> bool {
        let same_custom = match (&self.custom, &answer.custom) {
            (None, _) => true,
            (Some(own), Some(other)) => own.as_slice().ct_eq(other.as_slice()).into(),
            (Some(_), None) => false,
        };
        let same_digest: bool = self.digest.ct_eq(&answer.digest).into();
        same_digest && same_custom && answer.is_of(peer)
    }
}

impl fmt::Display for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32::encode(&self.digest))?;
        match &self.custom {
            Some(custom) => write!(f, ".{}", base32::encode(custom)),
            None => Ok(()),
        }
    }
}

impl FromStr for Fragment {
    type Err = FragmentError;

    /// Reads our form, the digest alone, and JavaScript's one string of custom bytes and digest.
    fn from_str(text: &str) -> Result<Self, FragmentError> {
        let (digest, custom) = match text.split_once('.') {
            Some((digest, custom)) => (digest, Some(checked_custom(decode(custom)?)?)),
            None => (text, None),
        };
        let bytes = decode(digest)?;
        if let Ok(digest) = bytes.as_slice().try_into() {
            return Ok(Self { digest, custom });
        }
        match bytes.split_at_checked(JS_CUSTOM_LEN) {
            Some((js_custom, digest)) if custom.is_none() => Ok(Self {
                digest: digest.try_into().map_err(|_| FragmentError::Digest)?,
                custom: Some(js_custom.into()),
            }),
            _ => Err(FragmentError::Digest),
        }
    }
}

/// Decodes no more than a fragment may have.
fn decode(text: &str) -> Result<Vec<u8>, FragmentError> {
    match text.len() {
        0..=LONGEST_TEXT => Ok(base32::decode(text)?),
        _ => Err(FragmentError::Custom),
    }
}

fn checked_custom(custom: Vec<u8>) -> Result<Vec<u8>, FragmentError> {
    match custom.len() {
        1..=MAX_CUSTOM_LEN => Ok(custom),
        _ => Err(FragmentError::Custom),
    }
}

/// The text is not the fragment of a router URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// Not base32.
    #[error("the fragment of the URI cannot be read: {0}")]
    Base32(#[from] Base32Error),
    /// A digest that is none.
    #[error("the fragment of the URI has no digest of {DIGEST_LEN} bytes; is the URI cut?")]
    Digest,
    /// Custom bytes that are too many, or none.
    #[error("the custom part of a URI's fragment has 1 to {MAX_CUSTOM_LEN} bytes")]
    Custom,
}
