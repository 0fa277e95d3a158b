//! `mesh id`.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use common::{FAILED, World};
use serde_json::Value;

#[test]
fn a_new_identity_is_private_and_shows_its_public_side_in_every_format() {
    let world = World::new();
    let made = world
        .run(["id", "new", "--out", "a.json", "--json"])
        .ok()
        .json();
    let hashname = made[0]["hashname"].as_str().unwrap();
    let mode = fs::metadata(world.path("a.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let show = |format| {
        world
            .run(["id", "show", "--id", "a.json", "--format", format])
            .ok()
            .stdout
    };
    assert!(show("text").starts_with(hashname));
    let link: Value = serde_json::from_str(&show("json")).unwrap();
    assert_eq!(link["hashname"], hashname);
    assert!(link.get("secrets").is_none(), "{link}");
    let jwk: Value = serde_json::from_str(&show("jwk")).unwrap();
    assert_eq!(
        (&jwk["kty"], &jwk["kid"]),
        (&"hashname".into(), &hashname.into())
    );
    let uri = show("uri");
    assert!(uri.starts_with("link://") && uri.contains("cs3a="), "{uri}");
    let quiet_zone = "█".repeat(20);
    assert!(
        show("qr").starts_with(&quiet_zone),
        "bright on a dark terminal"
    );
}

#[test]
fn what_a_qr_code_shows_is_the_uri_that_the_program_reads() {
    let world = World::new();
    world.run(["id", "new", "--out", "a.json"]).ok();
    let record = world
        .run(["id", "show", "--id", "a.json", "--json"])
        .ok()
        .json()
        .remove(0);
    let shown = world
        .run([
            "uri",
            "show",
            record["uri"].as_str().unwrap(),
            "--strict",
            "--json",
        ])
        .ok();
    assert_eq!(shown.json()[0]["hashname"], record["hashname"]);
    assert_eq!(shown.json()[0]["keys"], record["link"]["keys"]);
}

#[test]
fn without_a_file_the_identity_is_that_of_the_state_directory() {
    let world = World::new();
    world
        .run(["id", "show"])
        .failed(FAILED, &["id.json", "mesh id new"]);
    let made = world.run(["id", "new", "--json"]).ok().json();
    let shown = world.run(["id", "show", "--json"]).ok().json();
    assert_eq!(made, shown);
    assert!(
        made[0]["file"]
            .as_str()
            .unwrap()
            .ends_with(".config/mesh/id.json"),
        "{made:?}"
    );
}

#[test]
fn an_identity_is_never_overwritten() {
    let world = World::new();
    let file = world.write("mine.json", "precious");
    let args = ["id", "new", "--out", "mine.json"];
    world.run(args).failed(FAILED, &["mine.json", "exist"]);
    assert_eq!(fs::read_to_string(file).unwrap(), "precious");
    world.run(["id", "new"]).ok();
    world
        .run(["id", "new"])
        .failed(FAILED, &["id.json", "exist"]);
}

#[test]
fn a_bad_identity_file_is_refused_with_its_name_and_the_remedy() {
    let world = World::new();
    world.run(["id", "new", "--out", "good.json"]).ok();
    let good = fs::read_to_string(world.path("good.json")).unwrap();
    let mut stolen: Value = serde_json::from_str(&good).unwrap();
    stolen["hashname"] = "uvabrvfqacyvgcu8kbrrmk9apjbvgvn2wjechqr3vf9c1zm3hv7g".into();
    let mut future: Value = serde_json::from_str(&good).unwrap();
    future["version"] = 999.into();
    for (name, contents, mode, word) in [
        (
            "garbage.json",
            "not an identity".to_owned(),
            0o600,
            "garbage.json",
        ),
        ("stolen.json", stolen.to_string(), 0o600, "hashname"),
        ("future.json", future.to_string(), 0o600, "version 999"),
        ("open.json", good, 0o644, "chmod 600"),
    ] {
        let file = world.write(name, contents);
        fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
        for command in [
            &["id", "show"][..],
            &["up", "--udp", "127.0.0.1:0"],
            &["link", "bob"],
        ] {
            let done = world.run(command.iter().copied().chain(["--id", name]));
            let done = done.failed(FAILED, &[name, word]);
            assert!(!done.stderr.contains("secrets"), "{done:?}");
        }
    }
}
