//! The message face.

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use telehash_channel_stream::limits::DEFAULT_MAX_MESSAGE;
use telehash_channel_stream::{
    IncomingStream, LinkStreamExt as _, Message, MessageError, StreamOptions,
};
use telehash_runtime::{ChannelError, Open, Packet};
use tokio::io::AsyncWriteExt as _;

use crate::common::{Pair, pattern};

/// Sends every message back.
async fn echo(incoming: IncomingStream) {
    let (mut sink, mut messages) = incoming.accept_messages().unwrap().split();
    while let Some(message) = messages.next().await {
        sink.send(message.unwrap()).await.unwrap();
    }
    sink.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn values_of_every_kind_come_back_whole_and_in_order() {
    let pair = Pair::new(echo).await;
    let mut stream = pair.link.messages(StreamOptions::new()).await.unwrap();
    let head = json!({ "type": "note" }).as_object().unwrap().clone();
    let messages = [
        Message::from("short"),
        Message::from(pattern(200_000)),
        Message::from(""),
        Message::from(json!({ "list": [1, 2, 3], "text": "x".repeat(5000) })),
        Message::Lob {
            head,
            body: Bytes::from(pattern(3000)),
        },
    ];
    for message in &messages {
        stream.send(message.clone()).await.unwrap();
    }
    stream.end().unwrap();
    for message in messages {
        assert_eq!(stream.recv().await.unwrap(), Some(message));
    }
    assert_eq!(stream.recv().await.unwrap(), None);
    assert_eq!(stream.peer(), pair.server.hashname());
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_allowed_fails_the_stream() {
    let pair = Pair::new(|incoming: IncomingStream| async move {
        let mut stream = incoming.accept_messages().unwrap();
        let longest = stream.recv().await.unwrap();
        stream.send(longest.unwrap()).await.unwrap();
        let error = stream.recv().await.unwrap_err();
        let limit = DEFAULT_MAX_MESSAGE;
        assert!(
            matches!(error, MessageError::TooLarge { limit: at } if at == limit),
            "{error}"
        );
        assert_eq!(stream.recv().await.unwrap(), None);
    })
    .await;
    let mut stream = pair.link.messages(StreamOptions::new()).await.unwrap();
    let longest = pattern(DEFAULT_MAX_MESSAGE);
    stream.send(longest.clone()).await.unwrap();
    assert_eq!(stream.recv().await.unwrap(), Some(longest.into()));
    stream.send(pattern(DEFAULT_MAX_MESSAGE + 1)).await.unwrap();
    let error = stream.recv().await.unwrap_err();
    let MessageError::Channel(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error, ChannelError::Peer("message too large".into()));
}

#[tokio::test(start_paused = true)]
async fn ending_in_the_middle_of_a_message_completes_it() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let pair = Pair::new(move |incoming: IncomingStream| {
        let told = told.clone();
        async move {
            let mut stream = incoming.accept_messages().unwrap();
            let message = stream.recv().await.unwrap();
            told.send((message, stream.recv().await.unwrap()))
                .await
                .unwrap();
        }
    })
    .await;
    let mut channel = pair.link.open(Open::reliable("stream")).await.unwrap();
    let mut packet = Packet::new("to be contin");
    packet.frag = true;
    channel.send(packet).await.unwrap();
    channel.end().unwrap();
    assert_eq!(
        heard.recv().await.unwrap(),
        (Some(Message::from("to be contin")), None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_byte_stream_and_a_message_stream_understand_each_other() {
    let pair = Pair::new(|incoming: IncomingStream| async move {
        let mut stream = incoming.accept_messages().unwrap();
        let mut bytes = Vec::new();
        while let Some(message) = stream.recv().await.unwrap() {
            bytes.extend_from_slice(message.as_bytes().unwrap());
        }
        stream.send(bytes).await.unwrap();
        stream.end().unwrap();
    })
    .await;
    let mut stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    let bytes = pattern(50_000);
    stream.write_all(&bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut echo = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut echo)
        .await
        .unwrap();
    assert!(echo == bytes);
}

#[tokio::test(start_paused = true)]
async fn a_byte_stream_that_was_not_read_becomes_a_message_stream() {
    let pair = Pair::new(echo).await;
    let stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    let mut messages = stream.into_messages(1000).unwrap();
    messages.send("now in messages").await.unwrap();
    assert_eq!(
        messages.recv().await.unwrap(),
        Some(Message::from("now in messages"))
    );

    let mut stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    stream.write_all(b"bytes").await.unwrap();
    let mut first = [0; 1];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first)
        .await
        .unwrap();
    assert!(stream.into_messages(1000).is_err(), "a message was begun");
}

#[tokio::test(start_paused = true)]
async fn a_send_that_was_given_up_is_completed_by_the_next() {
    let pair = Pair::new(echo).await;
    let mut stream = pair.link.messages(StreamOptions::new()).await.unwrap();
    let large = Message::from(pattern(900_000));
    {
        let mut send = Box::pin(stream.send(large.clone()));
        let pending =
            std::future::poll_fn(|cx| std::task::Poll::Ready(send.as_mut().poll(cx).is_pending()));
        assert!(pending.await, "it is more than the channel takes at once");
    }
    stream.send("next").await.unwrap();
    assert!(stream.recv().await.unwrap() == Some(large));
    assert_eq!(stream.recv().await.unwrap(), Some(Message::from("next")));
}
