//! What a `link` handshake attaches: the sender's key, and the intermediates of its others
//! (links.md, "Handshake").

use alloc::vec::Vec;

use telehash_hashname::{Csid, KeySet};
use telehash_lob::Lob;

use super::inner::HandshakeError;

/// Reads `LOB({"<used csid>":null, "<other csid>":intermediate, …}, BODY = key of the used csid)`.
pub(super) fn parse(used: Csid, attached: &[u8]) -> Result<KeySet, HandshakeError> {
    let lob = Lob::parse(attached)?;
    Ok(KeySet::from_attached(used, &lob.json()?, lob.body())?)
}

/// Builds it, with `null` for the used csid as JS does.
pub(super) fn build(used: Csid, keys: &KeySet) -> Result<Vec<u8>, HandshakeError> {
    let key = keys.key(used).ok_or(HandshakeError::KeyMissing(used))?;
    Ok(telehash_lob::encode_json(&keys.attached_head(used), key)?)
}
