//! Sources that are no files any more, and places that are not what they seem.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use telehash_channel_files::{LinkFilesExt as _, Sending};
use telehash_runtime::{Link, Mesh};

use crate::common::{Disks, LIMIT, Pair, pattern, within};

fn make_pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

/// Sends it; what is left out, and why.
async fn sent(link: &Link, mut sending: Sending) -> Vec<(String, String)> {
    within(link.send_files(&mut sending)).await.unwrap();
    let named = sending.outcome().named.clone().into_iter();
    named.map(|out| (out.name, out.reason)).collect()
}

#[tokio::test]
async fn a_pipe_is_no_file_and_nobody_waits_for_who_writes_to_it() {
    let disks = Disks::new();
    disks.write("tree/file", "contents");
    let becomes_a_pipe = disks.write("tree/other", "contents");
    make_pipe(&disks.here.path().join("tree/pipe"));
    let pair = Pair::new(disks.folder()).await;
    let sending = disks.sending("tree").await;
    let left: Vec<_> = { &sending.outcome().named }
        .iter()
        .map(|out| (&*out.name, &*out.reason))
        .collect();
    assert_eq!(left, [("tree/pipe", "neither a file nor a folder")]);
    fs::remove_file(&becomes_a_pipe).unwrap();
    make_pipe(&becomes_a_pipe);
    let left = sent(&pair.link, sending).await;
    assert_eq!(left.len(), 2);
    let (name, reason) = left.last().unwrap();
    assert!(
        name == "tree/other" && reason.contains("changed"),
        "{reason}"
    );
    assert_eq!(disks.received("tree/file"), b"contents");
}

#[tokio::test]
async fn sources_that_are_shorter_or_gone_by_now_are_left_out() {
    let disks = Disks::new();
    let [shorter, gone, folder] = ["shorter", "gone", "folder"]
        .map(|name| disks.write(&format!("tree/{name}"), pattern(1000)));
    disks.write("tree/same", "contents");
    let pair = Pair::new(disks.folder()).await;
    let sending = disks.sending("tree").await;
    fs::File::options()
        .write(true)
        .open(shorter)
        .unwrap()
        .set_len(10)
        .unwrap();
    fs::remove_file(gone).unwrap();
    fs::remove_file(&folder).unwrap();
    fs::create_dir(folder).unwrap();
    let mut left = sent(&pair.link, sending).await;
    left.sort();
    let names: Vec<_> = left.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["tree/folder", "tree/gone", "tree/shorter"]);
    assert_eq!(disks.received("tree/same"), b"contents");
    assert!(disks.parts().is_empty(), "{:?}", disks.parts());
}

/// A link of somebody else.
async fn another(pair: &Pair) -> (Mesh, Link) {
    let other = Mesh::builder().transport(pair.network.endpoint());
    let other = other.build().await.unwrap();
    let link = other.link(pair.server.local_link_json()).await.unwrap();
    link.wait_up(LIMIT).await.unwrap();
    (other, link)
}

#[tokio::test]
async fn of_two_who_send_the_same_name_at_once_one_has_it_and_the_other_hears_so() {
    let (disks, others) = (Disks::new(), Disks::new());
    disks.write("file", pattern(2_000_000));
    others.write("file", vec![7; 2_000_000]);
    let pair = Pair::new(disks.folder()).await;
    let (_other, link) = another(&pair).await;
    let (one, two) = tokio::join!(
        sent(&pair.link, disks.sending("file").await),
        sent(&link, others.sending("file").await),
    );
    let (winner, loser) = match one.is_empty() {
        true => (pattern(2_000_000), two),
        false => (vec![7; 2_000_000], one),
    };
    assert_eq!(loser, [("file".to_owned(), "exists".to_owned())]);
    assert!(
        disks.received("file") == winner,
        "all of it is of one of them"
    );
}

#[tokio::test]
async fn two_who_send_the_same_file_at_once_both_find_it_there() {
    let disks = Disks::new();
    disks.write("file", pattern(2_000_000));
    let pair = Pair::new(disks.folder()).await;
    let (_other, link) = another(&pair).await;
    let (one, two) = tokio::join!(
        sent(&pair.link, disks.sending("file").await),
        sent(&link, disks.sending("file").await),
    );
    assert_eq!((one, two), (vec![], vec![]));
    assert!(disks.received("file") == pattern(2_000_000));
    assert!(disks.parts().is_empty(), "{:?}", disks.parts());
}

#[tokio::test]
async fn what_a_replaced_file_shares_with_others_or_leads_to_is_not_touched() {
    let disks = Disks::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let [linked, led_to] = ["linked", "led-to"].map(|name| elsewhere.path().join(name));
    fs::write(&linked, "of somebody else").unwrap();
    fs::write(&led_to, "of somebody else").unwrap();
    fs::create_dir(disks.there("tree")).unwrap();
    fs::hard_link(&linked, disks.there("tree/hard")).unwrap();
    symlink(&led_to, disks.there("tree/soft")).unwrap();
    for name in ["tree/hard", "tree/soft"] {
        disks.write(name, "new contents");
    }
    let folder = disks.folder();
    let unasked = Pair::new(folder.clone()).await;
    let left = sent(&unasked.link, disks.sending("tree").await).await;
    assert_eq!(left.len(), 2, "{left:?}");
    let asked = Pair::new(folder.replace(true)).await;
    assert_eq!(sent(&asked.link, disks.sending("tree").await).await, []);
    for name in ["tree/hard", "tree/soft"] {
        assert_eq!(disks.received(name), b"new contents");
        assert!(!disks.there(name).is_symlink());
    }
    for path in [linked, led_to] {
        assert_eq!(fs::read(path).unwrap(), b"of somebody else");
    }
}
