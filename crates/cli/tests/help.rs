//! The program explains itself.

mod common;

use common::World;

const COMMANDS: [&[&str]; 29] = [
    &["demo"],
    &["id", "new"],
    &["id", "show"],
    &["up"],
    &["status"],
    &["links"],
    &["invite"],
    &["discover"],
    &["netcheck"],
    &["link"],
    &["ping"],
    &["pipe"],
    &["send"],
    &["recv"],
    &["box"],
    &["box", "put"],
    &["box", "get"],
    &["serve"],
    &["proxy"],
    &["get"],
    &["forward"],
    &["uri"],
    &["uri", "show"],
    &["uri", "list"],
    &["uri", "revoke"],
    &["bench"],
    &["chat"],
    &["completions"],
    &["id"],
];

#[test]
fn every_command_has_help_with_an_example() {
    let world = World::new();
    for command in COMMANDS {
        let help = world
            .run(command.iter().copied().chain(["--help"]))
            .ok()
            .stdout;
        assert!(
            help.contains("Example"),
            "mesh {} --help: {help}",
            command.join(" ")
        );
        assert!(
            help.contains(&format!("\n  mesh {}", command.join(" "))),
            "{help}"
        );
    }
}

#[test]
fn help_lists_every_command_and_the_exit_codes() {
    let help = World::new().run(["--help"]).ok().stdout;
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {} ", command[0])), "{help}");
    }
    assert!(help.contains("130 interrupted"), "{help}");
}

#[test]
fn a_wrong_command_line_is_told_apart_by_its_code() {
    let world = World::new();
    world
        .run(["no-such-command"])
        .failed(common::USAGE, &["no-such-command"]);
    world.run(["ping"]).failed(common::USAGE, &["TARGET"]);
    world
        .run(["up", "--allow", "bob"])
        .failed(common::USAGE, &["--allow", "52 base32 characters"]);
    world
        .run(["id", "new", "--cs", "99"])
        .failed(common::USAGE, &["cipher set 99", "3a"]);
    world
        .run(["bench", "--bytes", "0"])
        .failed(common::USAGE, &["1 byte"]);
}

#[test]
fn completions_are_made_for_every_shell() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.run(["completions", shell]).ok().stdout;
        assert!(script.contains("ping"), "{shell}: {script}");
    }
}
