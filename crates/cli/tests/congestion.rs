//! `--congestion`.

mod common;

use common::{USAGE, World, noise, with_input};

#[test]
fn a_file_comes_back_identical_whichever_controller_each_end_has() {
    let world = World::new();
    for (there, here) in [("bbr", "cubic"), ("cubic", "bbr"), ("bbr", "bbr")] {
        let up = [
            "--id",
            "a.json",
            "--accept",
            "all",
            "--echo",
            "--congestion",
            there,
        ];
        let up = world.up(up);
        let file = noise(1 << 20);
        let mut pipe = world.mesh(["pipe", "--id", "b.json", "--congestion", here, up.uri()]);
        let (code, copy, stderr) = with_input(&mut pipe, file.clone());
        assert_eq!(code, Some(0), "{there}, {here}: {stderr}");
        assert!(copy == file, "{there}, {here}: other bytes");
    }
}

#[test]
fn a_controller_of_another_name_is_refused_with_those_there_are() {
    let args = ["up", "--congestion", "reno"];
    World::new()
        .run(args)
        .failed(USAGE, &["reno", "cubic or bbr"]);
}

#[test]
fn a_command_that_attaches_cannot_change_the_controller() {
    let world = World::new();
    let _up = world.up(["--state", "state"]);
    let args = ["status", "--state", "state", "--congestion", "bbr"];
    let _ = world.run(args).ok();
    let args = ["ping", "--state", "state", "--congestion", "bbr", "nobody"];
    world.run(args).failed(USAGE, &["runs already", "mesh up"]);
}
