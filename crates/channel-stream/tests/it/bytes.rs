//! The byte face.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use telehash_channel_stream::limits::READ_AHEAD_PACKETS;
use telehash_channel_stream::{ByteStream, IncomingStream, LinkStreamExt as _, StreamOptions};
use telehash_runtime::{ChannelError, Open, OpenError, Packet};
use telehash_transport::impair::{Conditions, Loss};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};

use crate::common::{Pair, pattern};

async fn echoed(stream: ByteStream, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = stream.into_split();
    let writes = async {
        writer.write_all(bytes).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut echo = Vec::new();
    let reads = async {
        reader.read_to_end(&mut echo).await.unwrap();
    };
    tokio::join!(writes, reads);
    echo
}

#[tokio::test(start_paused = true)]
async fn a_megabyte_comes_back_unchanged_from_a_bad_network() {
    let pair = Pair::echoing().await;
    let bad = Conditions::perfect()
        .with_delay(Duration::from_millis(5))
        .with_jitter(Duration::from_millis(3))
        .with_loss(Loss::Random(0.05))
        .with_reordering(0.02, Duration::from_millis(4))
        .with_duplication(0.02);
    pair.network.set_conditions(&bad);
    let stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    let bytes = pattern(1_000_000);
    assert!(echoed(stream, &bytes).await == bytes);
}

#[tokio::test(start_paused = true)]
async fn three_hundred_small_streams_at_once() {
    let pair = Pair::echoing().await;
    let conversation = |number: usize| {
        let link = pair.link.clone();
        async move {
            let bytes = pattern(1000 + number);
            let stream = link.stream(StreamOptions::new()).await.unwrap();
            assert!(echoed(stream, &bytes).await == bytes);
        }
    };
    join_all((0..300).map(conversation)).await;
}

#[tokio::test(start_paused = true)]
async fn each_direction_ends_on_its_own() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let pair = Pair::new(move |incoming: IncomingStream| {
        let told = told.clone();
        async move {
            let mut stream = incoming.accept().unwrap();
            stream.write_all(b"server speaks first").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            told.send(text).await.unwrap();
        }
    })
    .await;
    let mut stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "server speaks first");
    assert_eq!(
        stream.read(&mut [0; 8]).await.unwrap(),
        0,
        "the end stays the end"
    );
    stream.write_all(b"then the client").await.unwrap();
    stream.shutdown().await.unwrap();
    stream.closed().await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), "then the client");
    let error = stream.write_all(b"too late").await.unwrap_err();
    assert!(matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
    ));
}

#[tokio::test(start_paused = true)]
async fn lines_can_be_read_without_copying() {
    let pair = Pair::echoing().await;
    let mut stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    stream.write_all(b"one\ntwo\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "one\n");
    let (mut reader, writer) = stream.into_split();
    assert_eq!(reader.chunk().await.unwrap().unwrap(), "two\n");
    assert_eq!(reader.chunk().await.unwrap(), None);
    assert!(ByteStream::reunite(reader, writer).is_ok());
}

#[tokio::test(start_paused = true)]
async fn halves_of_different_streams_do_not_reunite() {
    let pair = Pair::echoing().await;
    let (reader, _) = pair
        .link
        .stream(StreamOptions::new())
        .await
        .unwrap()
        .into_split();
    let (_, writer) = pair
        .link
        .stream(StreamOptions::new())
        .await
        .unwrap()
        .into_split();
    assert!(ByteStream::reunite(reader, writer).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_reader_takes_packets_ahead_up_to_the_limit() {
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let pair = Pair::new(move |incoming: IncomingStream| {
        let tell = tell.clone();
        async move {
            let mut stream = incoming.accept().unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
            stream.read_u8().await.unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
            // The channel has failed: all that is left is what was taken ahead.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap_err();
            tell.send(1 + rest.len()).await.unwrap();
        }
    })
    .await;
    let mut channel = pair.link.open(Open::reliable("stream")).await.unwrap();
    for _ in 0..READ_AHEAD_PACKETS + 10 {
        channel.send(Packet::new("x")).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    channel.fail("enough");
    assert_eq!(told.recv().await, Some(READ_AHEAD_PACKETS));
}

#[tokio::test(start_paused = true)]
async fn a_writer_waits_for_a_reader_that_does_not_read() {
    let pair = Pair::new(|incoming: IncomingStream| async move {
        let mut stream = incoming.accept().unwrap();
        tokio::time::sleep(Duration::from_secs(20)).await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        stream.write_u64(bytes.len() as u64).await.unwrap();
        stream.shutdown().await.unwrap();
    })
    .await;
    let mut stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    let bytes = vec![0; 16 << 20];
    let writing = tokio::time::timeout(Duration::from_secs(10), stream.write_all(&bytes));
    assert!(
        writing.await.is_err(),
        "16 MiB are more than anyone buffers"
    );
    stream.shutdown().await.unwrap();
    let received = stream.read_u64().await.unwrap();
    assert!(received > 0 && received < 16 << 20, "{received}");
}

#[tokio::test(start_paused = true)]
async fn giving_up_a_write_or_a_read_loses_and_repeats_nothing() {
    let pair = Pair::echoing().await;
    let stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    let bytes = pattern(3_000_000);
    let (mut reader, mut writer) = stream.into_split();
    let writes = async {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            // A write that is pending is given up; only what it reports was taken.
            let write = poll_fn(|cx| match Pin::new(&mut writer).poll_write(cx, rest) {
                Poll::Ready(taken) => Poll::Ready(Some(taken.unwrap())),
                Poll::Pending => Poll::Ready(None),
            });
            match write.await {
                Some(taken) => rest = &rest[taken..],
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        writer.shutdown().await.unwrap();
    };
    let reads = async {
        let mut echo = Vec::new();
        loop {
            let chunk = {
                let mut chunk = pin!(reader.chunk());
                poll_fn(|cx| Poll::Ready(chunk.as_mut().poll(cx))).await
            };
            match chunk {
                Poll::Ready(Ok(Some(chunk))) => echo.extend_from_slice(&chunk),
                Poll::Ready(Ok(None)) => return echo,
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    let ((), echo) = tokio::join!(writes, reads);
    assert!(echo == bytes);
}

#[tokio::test(start_paused = true)]
async fn a_stream_dropped_after_its_shutdown_delivers() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let pair = Pair::new(move |incoming: IncomingStream| {
        let told = told.clone();
        async move {
            let mut bytes = Vec::new();
            incoming
                .accept()
                .unwrap()
                .read_to_end(&mut bytes)
                .await
                .unwrap();
            told.send(bytes).await.unwrap();
        }
    })
    .await;
    let bytes = pattern(200_000);
    let mut stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    drop(stream);
    assert!(heard.recv().await.unwrap() == bytes);
}

#[tokio::test(start_paused = true)]
async fn a_stream_dropped_without_shutdown_is_an_error_to_the_reader() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let pair = Pair::new(move |incoming: IncomingStream| {
        let told = told.clone();
        async move {
            let mut stream = incoming.accept().unwrap();
            stream.write_all(b"?").await.unwrap();
            let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
            told.send(error.kind()).await.unwrap();
        }
    })
    .await;
    let mut stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'?');
    stream.write_all(b"half a sen").await.unwrap();
    drop(stream);
    assert_eq!(heard.recv().await.unwrap(), io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn the_acceptor_sees_the_options_and_may_refuse() {
    let pair = Pair::new(|incoming: IncomingStream| async move {
        match incoming.head().get("file").and_then(|file| file.as_str()) {
            Some("notes.txt") if incoming.body() == "please" => {
                let mut stream = incoming.accept().unwrap();
                stream.write_all(b"yes").await.unwrap();
                stream.shutdown().await.unwrap();
            }
            _ => incoming.refuse("no such file"),
        }
    })
    .await;
    let head = json!({ "file": "notes.txt" }).as_object().unwrap().clone();
    let polite = StreamOptions::new().head(head.clone()).body("please");
    let mut answer = [0; 3];
    pair.link
        .stream(polite)
        .await
        .unwrap()
        .read_exact(&mut answer)
        .await
        .unwrap();
    assert_eq!(&answer, b"yes");

    let rude = StreamOptions::new().head(head);
    let mut stream = pair.link.stream(rude).await.unwrap();
    let error = stream.read(&mut answer).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(
        error.to_string(),
        "the peer failed the channel: no such file"
    );
}

#[tokio::test(start_paused = true)]
async fn options_are_bounded_and_checked() {
    let pair = Pair::echoing().await;
    let limit = telehash_channel_stream::limits::MAX_OPTIONS;
    // A packet without a head begins with two bytes of length.
    pair.link
        .stream(StreamOptions::new().body(vec![0; limit - 2]))
        .await
        .unwrap();
    let error = pair
        .link
        .stream(StreamOptions::new().body(vec![0; limit - 1]))
        .await
        .unwrap_err();
    assert!(matches!(error, OpenError::TooLarge { .. }), "{error}");

    let refused = |open: Open| async {
        pair.link
            .open(open)
            .await
            .unwrap()
            .opened()
            .await
            .unwrap_err()
    };
    let error = refused(Open::reliable("stream").body(&b"\0\x08no json!"[..])).await;
    assert_eq!(error, ChannelError::Peer("bad options".into()));
    let error = refused(Open::unreliable("stream")).await;
    assert_eq!(error, ChannelError::Peer("a stream is reliable".into()));
    assert!(pair.client.get(&pair.server.hashname()).is_some());
}
