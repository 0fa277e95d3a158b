//! Peers that send what they must not.

use std::fs;

use serde_json::{Value, json};
use telehash_channel_files::limits::{MAX_ENTRIES, MAX_OFFERS, MAX_TRANSFERS_PER_PEER};
use telehash_channel_files::{FilesError, LinkFilesExt as _, TYPE};
use telehash_channel_stream::ByteStream;
use telehash_runtime::{Accept, IncomingChannel, Link, Mesh, Open};
use telehash_transport::memory::MemoryNetwork;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::common::{Disks, Pair, pattern, tree, within};

/// One end of a channel, byte by byte.
struct Raw(ByteStream);

impl Raw {
    async fn open(link: &Link) -> Self {
        Self(ByteStream::new(
            link.open(Open::reliable(TYPE)).await.unwrap(),
        ))
    }

    async fn say(&mut self, message: Value) {
        self.frame(0, message.to_string().as_bytes()).await;
    }

    /// Whether it is read is up to the other side.
    async fn frame(&mut self, kind: u8, bytes: &[u8]) {
        let [_, a, b, c] = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let _ = self.0.write_all(&[&[kind, a, b, c], bytes].concat()).await;
    }

    async fn hears(&mut self) -> Result<Value, std::io::Error> {
        within(async {
            let len = self.0.read_u32().await?;
            let mut json = vec![0; len as usize];
            self.0.read_exact(&mut json).await?;
            Ok(serde_json::from_slice(&json).unwrap())
        })
        .await
    }

    /// Why the other side failed the channel.
    async fn failed(mut self) -> String {
        loop {
            if let Err(error) = self.hears().await {
                return error.to_string();
            }
        }
    }
}

fn file(n: u64, path: &str, size: usize) -> Value {
    json!({ "type": "file", "n": n, "path": path, "size": size })
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused_and_the_others_taken() {
    let disks = Disks::new();
    let pair = Pair::new(disks.folder()).await;
    let mut raw = Raw::open(&pair.link).await;
    let names = [
        "../a",
        "/tmp/a",
        "a/../../b",
        "",
        "a\0b",
        "a\x1b[2J",
        ".mesh-parts/lock",
        "a//b",
    ];
    for (n, name) in (0..).zip(names) {
        raw.say(file(2 * n, name, 1)).await;
        let folder = json!({ "type": "folder", "n": 2 * n + 1, "path": name });
        raw.say(folder).await;
        for n in [2 * n, 2 * n + 1] {
            let reply = raw.hears().await.unwrap();
            let (kind, number) = (&reply["type"], &reply["n"]);
            assert_eq!((kind, number), (&"refused".into(), &n.into()), "{name:?}");
        }
    }
    let n = 2 * names.len() as u64;
    raw.say(json!({ "type": "folder", "n": n, "path": "good" }))
        .await;
    assert_eq!(raw.hears().await.unwrap()["type"], "stored");
    let left = tree(disks.there.path());
    assert_eq!(left, [("good/".to_owned(), Vec::new())]);
}

#[tokio::test]
async fn a_name_counts_once() {
    let disks = Disks::new();
    let pair = Pair::new(disks.folder().replace(true)).await;
    let mut raw = Raw::open(&pair.link).await;
    let hash = blake3::hash(b"").to_hex().to_string();
    raw.say(file(0, "a", 0)).await;
    assert_eq!(raw.hears().await.unwrap()["type"], "send");
    raw.say(json!({ "type": "data", "n": 0, "from": 0 })).await;
    raw.say(json!({ "type": "hash", "n": 0, "hash": hash }))
        .await;
    assert_eq!(raw.hears().await.unwrap()["type"], "stored");
    raw.say(file(1, "a", 7)).await;
    assert_eq!(raw.hears().await.unwrap()["reason"], "duplicate name");
    raw.say(file(2, "a/b", 7)).await;
    assert_eq!(
        raw.hears().await.unwrap()["reason"],
        "below what is no folder"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn no_link_in_the_folder_is_followed() {
    let disks = Disks::new();
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), disks.there("link")).unwrap();
    let pair = Pair::new(disks.folder().replace(true)).await;
    let mut raw = Raw::open(&pair.link).await;
    raw.say(file(0, "link/a", 0)).await;
    assert_eq!(
        raw.hears().await.unwrap()["reason"],
        "below what is no folder"
    );
    raw.say(json!({ "type": "folder", "n": 1, "path": "link/b" }))
        .await;
    assert_eq!(
        raw.hears().await.unwrap()["reason"],
        "below what is no folder"
    );
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_damaged_gets_no_name() {
    let disks = Disks::new();
    let pair = Pair::new(disks.folder()).await;
    let mut raw = Raw::open(&pair.link).await;
    raw.say(file(0, "a", 5)).await;
    raw.hears().await.unwrap();
    raw.say(json!({ "type": "data", "n": 0, "from": 0 })).await;
    raw.frame(1, b"hello").await;
    let hash = blake3::hash(b"other").to_hex().to_string();
    raw.say(json!({ "type": "hash", "n": 0, "hash": hash }))
        .await;
    assert_eq!(raw.hears().await.unwrap()["reason"], "damaged");
    raw.0.shutdown().await.unwrap();
    let outcome = pair.ended().await.unwrap();
    assert!(outcome.named.first().unwrap().is_damaged());
    assert!(tree(disks.there.path()).is_empty() && disks.parts().is_empty());
}

#[tokio::test]
async fn whoever_breaks_the_protocol_is_told_and_nothing_comes_of_it() {
    let disks = Disks::new();
    fs::write(disks.there("there"), "12345").unwrap();
    let pair = Pair::new(disks.folder()).await;
    let data = |n: u64, from: u64| json!({ "type": "data", "n": n, "from": from });
    let hash = |n: u64| json!({ "type": "hash", "n": n, "hash": "00".repeat(32) });
    let conversations: Vec<Vec<Result<Value, &[u8]>>> = vec![
        vec![Ok(file(1, "a", 5))],
        vec![Ok(file(0, "a", 5)), Ok(file(0, "b", 5))],
        vec![Ok(data(0, 0))],
        vec![Ok(hash(0))],
        vec![Err(b"hello")],
        vec![Ok(file(0, "a", 5)), Err(b"hello")],
        vec![Ok(file(0, "a", 5)), Ok(data(0, 3))],
        vec![Ok(file(0, "a", 5)), Ok(hash(0))],
        vec![Ok(file(0, "a", 5)), Ok(data(0, 0)), Err(b"hello!")],
        vec![
            Ok(file(0, "a", 5)),
            Ok(data(0, 0)),
            Err(b"hell"),
            Ok(hash(0)),
        ],
        vec![
            Ok(file(0, "a", 5)),
            Ok(data(0, 0)),
            Err(b"hello"),
            Ok(hash(1)),
        ],
        vec![Ok(file(0, "a", 5)), Ok(data(0, 0)), Ok(file(1, "b", 5))],
        vec![
            Ok(file(0, "a", 5)),
            Ok(data(0, 0)),
            Err(b"hello"),
            Ok(json!({ "type": "hash", "n": 0, "hash": "x" })),
        ],
        vec![Ok(file(0, "there", 5)), Ok(data(0, 0))],
        vec![Ok(json!({ "type": "file", "n": 0, "path": "a" }))],
        vec![Ok(json!({ "type": "rm", "n": 0, "path": "a" }))],
        vec![Ok(json!([]))],
    ];
    for conversation in conversations {
        let shown = format!("{conversation:?}");
        let mut raw = Raw::open(&pair.link).await;
        for said in conversation {
            match said {
                Ok(message) => raw.say(message).await,
                Err(bytes) => raw.frame(1, bytes).await,
            }
        }
        let _ = raw.0.shutdown().await;
        let told = raw.failed().await;
        assert!(told.contains("bad request"), "{told}: {shown}");
        let error = pair.ended().await.unwrap_err();
        assert!(matches!(error, FilesError::Protocol(_)), "{error}: {shown}");
    }
    let left = tree(disks.there.path());
    assert_eq!(left, [("there".to_owned(), b"12345".to_vec())]);
}

#[tokio::test]
async fn an_end_with_open_offers_is_no_end() {
    let disks = Disks::new();
    let pair = Pair::new(disks.folder()).await;
    let mut raw = Raw::open(&pair.link).await;
    raw.say(file(0, "a", 5)).await;
    raw.0.shutdown().await.unwrap();
    assert!(raw.failed().await.contains("bad request"));
}

#[tokio::test]
async fn so_many_offers_are_open_at_once_and_no_more() {
    let disks = Disks::new();
    let pair = Pair::new(disks.folder()).await;
    let mut raw = Raw::open(&pair.link).await;
    for n in 0..MAX_OFFERS as u64 {
        raw.say(file(n, &n.to_string(), 1)).await;
        assert_eq!(raw.hears().await.unwrap()["type"], "send");
    }
    raw.say(file(MAX_OFFERS as u64, "more", 1)).await;
    assert!(raw.failed().await.contains("bad request"));
}

#[tokio::test]
async fn a_peer_has_so_many_transfers_at_once() {
    let disks = Disks::new();
    let pair = Pair::new(disks.folder()).await;
    let mut open = Vec::new();
    for n in 0..MAX_TRANSFERS_PER_PEER {
        let mut raw = Raw::open(&pair.link).await;
        raw.say(file(0, &n.to_string(), 1)).await;
        raw.hears().await.unwrap();
        open.push(raw);
    }
    assert!(Raw::open(&pair.link).await.failed().await.contains("busy"));
    drop(open.pop());
    pair.ended().await.unwrap_err();
    let mut raw = Raw::open(&pair.link).await;
    raw.say(file(0, "last", 1)).await;
    assert_eq!(raw.hears().await.unwrap()["type"], "send");
}

#[tokio::test]
#[ignore = "long: a quarter of a million offers"]
async fn a_transfer_has_as_many_files_as_the_limit_and_no_more() {
    let disks = Disks::new();
    let pair = Pair::new(disks.folder()).await;
    let mut raw = Raw::open(&pair.link).await;
    for n in 0..MAX_ENTRIES as u64 {
        raw.say(file(n, "..", 1)).await;
        assert_eq!(raw.hears().await.unwrap()["type"], "refused");
    }
    raw.say(file(MAX_ENTRIES as u64, "a", 1)).await;
    assert!(raw.failed().await.contains("too many files"));
}

/// A receiver that says this to whatever comes first, and then reads.
async fn answered(replies: &'static [&'static str]) -> FilesError {
    let network = MemoryNetwork::new(1);
    let server = Mesh::builder()
        .transport(network.endpoint())
        .accept(Accept::All);
    let server = server.on_open(TYPE, move |channel: IncomingChannel| async move {
        let mut raw = Raw(ByteStream::new(channel.accept().unwrap()));
        raw.hears().await.unwrap();
        for reply in replies {
            raw.frame(0, reply.as_bytes()).await;
        }
        let _ = tokio::io::copy(&mut raw.0, &mut tokio::io::sink()).await;
    });
    let server = server.build().await.unwrap();
    let client = Mesh::builder()
        .transport(network.endpoint())
        .build()
        .await
        .unwrap();
    let link = client.link(server.local_link_json()).await.unwrap();
    let disks = Disks::new();
    disks.write("file", pattern(1000));
    let mut sending = disks.sending("file").await;
    within(link.send_files(&mut sending)).await.unwrap_err()
}

#[tokio::test]
async fn a_receiver_that_asks_for_nonsense_gets_nothing() {
    for replies in [
        &[r#"{"type":"send","n":1,"from":0}"#][..],
        &[r#"{"type":"send","n":0,"from":1001}"#],
        &[
            r#"{"type":"send","n":0,"from":0}"#,
            r#"{"type":"send","n":0,"from":0}"#,
        ],
        &[r#"{"type":"have","n":0}"#, r#"{"type":"have","n":0}"#],
        &[
            r#"{"type":"send","n":0,"from":0}"#,
            r#"{"type":"have","n":0}"#,
        ],
        &[r#"{"type":"stored","n":7}"#],
        &[r#"{"type":"file","n":0,"path":"a","size":1}"#],
        &["nonsense"],
    ] {
        let error = answered(replies).await;
        assert!(
            matches!(error, FilesError::Protocol(_)),
            "{error}: {replies:?}"
        );
    }
}
