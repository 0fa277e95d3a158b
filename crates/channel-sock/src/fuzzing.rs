//! Bodies of the fuzz targets.

use serde_json::{Map, Value};

use crate::destination::Destination;
use crate::rules::{AllowRule, BindRule};
use crate::wire::{self, Request};

/// The head of an open, and what people write: nothing panics, and what was read says the same when
/// it is read again.
pub fn sock_open(data: &[u8]) {
    if let Ok(head) = serde_json::from_slice::<Map<String, Value>>(data) {
        let again = match wire::parse(Some(&head)) {
            Some(Request::Connect(to)) => Some((wire::connect(&to), Request::Connect(to))),
            Some(Request::Bind(at)) => Some((wire::bind(&at), Request::Bind(at))),
            Some(Request::Accept { .. }) | None => None,
        };
        if let Some((head, request)) = again {
            assert_eq!(wire::parse(Some(&head)), Some(request));
        }
        let _ = wire::bound(Some(&head));
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(to) = text.parse::<Destination>() {
        assert_eq!(to.to_string().parse(), Ok(to));
    }
    if let Ok(rule) = text.parse::<AllowRule>() {
        assert_eq!(rule.to_string().parse(), Ok(rule));
    }
    let _ = text.parse::<BindRule>();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seed_breaks_an_open() {
        let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/sock_open");
        let mut replayed = 0;
        for seed in std::fs::read_dir(seeds).unwrap() {
            sock_open(&std::fs::read(seed.unwrap().path()).unwrap());
            replayed += 1;
        }
        assert!(replayed > 5, "the seeds are gone");
    }

    #[test]
    fn what_is_written_reads_the_same_again() {
        for text in [
            "localhost:80",
            "[::1]:22",
            "EXAMPLE.org:443",
            "10.0.0.0/8:1-2",
            "[fd00::/8]:*",
        ] {
            sock_open(text.as_bytes());
        }
    }
}
