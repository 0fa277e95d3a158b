//! Bodies of the fuzz targets. They panic when a property does not hold.

use alloc::string::ToString;

use crate::link_json::MAX_LINK_JSON_LEN;
use crate::{IdentityJson, LinkJson};

/// Reading a link JSON never panics, and what can be read survives writing and reading, as link
/// JSON and as JWK.
pub fn link_json(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let Ok(link) = LinkJson::parse(text) else {
        return;
    };
    let written = link.to_string();
    // Numbers such as 1e15 grow when they are spelled out.
    if written.len() <= MAX_LINK_JSON_LEN {
        assert_eq!(LinkJson::parse(&written).as_ref(), Ok(&link), "link JSON");
    }
    if let Some(jwk) = link.jwk() {
        let read = LinkJson::from_jwk(&jwk).expect("a JWK that we wrote");
        assert_eq!(read.hashname, link.hashname, "kid");
        assert_eq!((read.keys, read.paths), (link.keys, link.paths), "JWK");
    }
}

/// Reading an identity never panics, and what can be read survives writing and reading.
pub fn identity(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let Ok(identity) = IdentityJson::parse(text) else {
        return;
    };
    let written = identity.to_json();
    if written.len() <= crate::identity::MAX_IDENTITY_LEN {
        let read = IdentityJson::parse(&written).expect("an identity that we wrote");
        assert_eq!(read.to_json(), written, "identity");
    }
}

#[cfg(test)]
mod tests;
