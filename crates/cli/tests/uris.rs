//! `mesh uri show`.

mod common;

use common::{USAGE, World};

const URI: &str = "link://192.0.2.1:5/?shoe=size&cs1a=1#fragment";

#[test]
fn a_uri_is_explained_with_what_had_to_be_skipped() {
    let shown = World::new().run(["uri", "show", URI]).ok().stdout;
    for line in [
        "host      192.0.2.1, port 5",
        "query     shoe",
        "fragment  yes",
        "skipped   \"cs1a\"",
    ] {
        assert!(shown.contains(line), "no `{line}` in {shown}");
    }
}

#[test]
fn strictly_read_the_same_uri_is_refused() {
    World::new()
        .run(["uri", "show", "--strict", URI])
        .failed(USAGE, &["cs1a"]);
    World::new()
        .run(["uri", "show", "no uri"])
        .failed(USAGE, &["blank"]);
}
