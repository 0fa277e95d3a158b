//! Bodies of the fuzz targets.

use crate::head;

/// A head from a peer: what is read can be written, and is read the same again.
pub fn thtp_head(data: &[u8]) {
    if let Ok(request) = head::read_request(data) {
        let Ok(written) = head::write_request(&request) else {
            return;
        };
        let again = head::read_request(written.get(head::PREFIX..).unwrap_or_default());
        let again = again.expect("what was written is read");
        assert_eq!(again.uri(), request.uri());
        assert_eq!(again.method(), request.method());
        assert_eq!(again.headers(), request.headers());
    }
    if let Ok(response) = head::read_response(data) {
        let Ok(written) = head::write_response(&response) else {
            return;
        };
        let again = head::read_response(written.get(head::PREFIX..).unwrap_or_default());
        let again = again.expect("what was written is read");
        assert_eq!(again.status(), response.status());
        assert_eq!(again.headers(), response.headers());
    }
}
