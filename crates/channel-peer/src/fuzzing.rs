//! Bodies of the fuzz targets: whatever the bytes say, nothing panics and the promises hold.

use serde_json::{Map, Value};

use crate::PeerOpen;

/// Reads bytes as the head of an open; what was read is read again from what is written.
pub fn peer_open(data: &[u8]) {
    let Ok(head) = serde_json::from_slice::<Map<_, Value>>(data) else {
        return;
    };
    if let Ok(open) = PeerOpen::from_head(&head) {
        assert_eq!(PeerOpen::from_head(&open.to_head()), Ok(open));
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_break_an_open(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            peer_open(&data);
        }

        #[test]
        fn no_target_breaks_an_open(peer in ".{0,60}", uri in ".{0,60}") {
            let json = serde_json::json!({ "peer": peer, "uri": uri });
            let text: Vec<u8> = serde_json::to_vec(&json).unwrap();
            peer_open(&text);
        }
    }
}
