//! Channels, and what becomes of them when something goes wrong.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;

use serde_json::json;
use telehash_runtime::limits::MAX_HANDLERS_PER_LINK;
use telehash_runtime::{
    ChannelError, IncomingChannel, LinkState, MeshEvent, Open, OpenError, Packet, SendError,
};

use crate::common::{Pair, event};

async fn refusal(pair: &Pair, open: Open) -> ChannelError {
    let mut channel = pair.link.open(open).await.unwrap();
    channel.opened().await.unwrap_err()
}

fn peer_said(text: &str) -> ChannelError {
    ChannelError::Peer(text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn packets_come_back_in_order_and_each_direction_ends_on_its_own() {
    let pair = Pair::new().await;
    let mut channel = pair.echo().await;
    for number in 0..10_u8 {
        channel.send(Packet::new(vec![number])).await.unwrap();
    }
    channel.end().unwrap();
    assert!(matches!(
        channel.send(Packet::new("x")).await,
        Err(SendError::Ended)
    ));
    for number in 0..10_u8 {
        assert_eq!(channel.recv().await.unwrap().unwrap().body, vec![number]);
    }
    assert_eq!(channel.recv().await.unwrap(), None);
    assert_eq!(channel.recv().await.unwrap(), None, "the end stays the end");
    channel.closed().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_open_carries_head_and_body_and_both_ends_know_the_channel() {
    let (seen, mut opened) = tokio::sync::mpsc::channel(1);
    let pair = Pair::with(
        move |server| {
            server.on_open("show", move |channel: IncomingChannel| {
                let seen = seen.clone();
                async move {
                    let about = (channel.head().cloned(), channel.body().clone());
                    seen.send((channel.peer(), channel.is_reliable(), about))
                        .await
                        .unwrap();
                    channel.accept().unwrap().end().unwrap();
                }
            })
        },
        |client| client,
    )
    .await;
    let head = json!({ "a": 1 }).as_object().unwrap().clone();
    let open = Open::reliable("show").head(head.clone()).body("body");
    let mut channel = pair.link.open(open).await.unwrap();
    assert_eq!(
        (channel.kind(), channel.peer()),
        ("show", pair.server.hashname())
    );
    channel.opened().await.unwrap();
    let (peer, reliable, about) = opened.recv().await.unwrap();
    assert_eq!((peer, reliable), (pair.client.hashname(), true));
    assert_eq!(about, (Some(head), "body".into()));
}

#[tokio::test(start_paused = true)]
async fn unreliable_packets_go_both_ways() {
    let pair = Pair::new().await;
    let mut channel = pair.link.open(Open::unreliable("echo")).await.unwrap();
    channel.send(Packet::new("ping")).await.unwrap();
    assert_eq!(channel.recv().await.unwrap().unwrap().body, "ping");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_type_is_refused_with_these_words() {
    let pair = Pair::new().await;
    let mut events = pair.server.events();
    assert_eq!(
        refusal(&pair, Open::reliable("tea")).await,
        peer_said("unknown type")
    );
    assert_eq!(
        refusal(&pair, Open::unreliable("tea")).await,
        peer_said("unknown type")
    );
    let kind = event(&mut events, |event| match event {
        MeshEvent::ChannelRefused { kind, .. } => Some(kind),
        _ => None,
    });
    assert_eq!(kind.await, "tea");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_its_handler_drops_is_refused() {
    let drops = |channel: IncomingChannel| async move { drop(channel) };
    let refuses = |channel: IncomingChannel| async move { channel.refuse("not today") };
    let server = |builder: telehash_runtime::Builder| {
        builder
            .on_open("dropped", drops)
            .on_open("refused", refuses)
    };
    let pair = Pair::with(server, |client| client).await;
    assert_eq!(
        refusal(&pair, Open::reliable("dropped")).await,
        peer_said("refused")
    );
    assert_eq!(
        refusal(&pair, Open::reliable("refused")).await,
        peer_said("not today")
    );
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_nobody_decides_about_times_out_at_both_ends() {
    let (told, mut outcome) = tokio::sync::mpsc::channel(1);
    let pair = Pair::with(
        move |server| {
            server.on_open("slow", move |channel: IncomingChannel| {
                let told = told.clone();
                async move {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                    told.send(channel.accept().map(drop)).await.unwrap();
                }
            })
        },
        |client| client,
    )
    .await;
    let mut channel = pair.link.open(Open::reliable("slow")).await.unwrap();
    let error = channel.opened().await.unwrap_err();
    assert!(
        matches!(error, ChannelError::Timeout | ChannelError::Peer(_)),
        "{error}"
    );
    assert!(outcome.recv().await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_fails_its_channel_and_nothing_else() {
    let panics = |channel: IncomingChannel| async move {
        let accepted = channel.accept().unwrap();
        assert!(!accepted.is_reliable(), "a bug of the application");
    };
    let pair = Pair::with(move |server| server.on_open("bug", panics), |client| client).await;
    let mut events = pair.server.events();
    let mut other = pair.echo().await;
    let mut channel = pair.link.open(Open::reliable("bug")).await.unwrap();
    assert_eq!(channel.recv().await.unwrap_err(), peer_said("dropped"));
    let panicked = event(&mut events, |event| match event {
        MeshEvent::HandlerPanicked { hashname, kind } => Some((hashname, kind)),
        _ => None,
    });
    assert_eq!(panicked.await, (pair.client.hashname(), "bug".to_owned()));
    other.send(Packet::new("still here")).await.unwrap();
    assert_eq!(other.recv().await.unwrap().unwrap().body, "still here");
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_failed_with_is_an_event() {
    let fails = |channel: IncomingChannel| async move {
        drop(channel);
        Err::<(), _>(std::io::Error::other("the disk is full"))
    };
    let pair = Pair::with(move |server| server.on_open("fail", fails), |client| client).await;
    let mut events = pair.server.events();
    refusal(&pair, Open::reliable("fail")).await;
    let error = event(&mut events, |event| match event {
        MeshEvent::HandlerFailed { error, .. } => Some(error),
        _ => None,
    });
    assert_eq!(error.await, "the disk is full");
}

#[tokio::test(start_paused = true)]
async fn more_handlers_than_the_limit_are_refused_as_busy() {
    let stuck = |channel: IncomingChannel| async move {
        drop(channel.accept());
        std::future::pending::<()>().await;
    };
    let pair = Pair::with(
        move |server| server.on_open("stuck", stuck),
        |client| client,
    )
    .await;
    // The channels fail at once; their handlers stay.
    for _ in 0..MAX_HANDLERS_PER_LINK {
        assert_eq!(
            refusal(&pair, Open::unreliable("stuck")).await,
            peer_said("dropped")
        );
    }
    assert_eq!(
        refusal(&pair, Open::unreliable("stuck")).await,
        peer_said("busy")
    );
    assert_eq!(
        refusal(&pair, Open::unreliable("echo")).await,
        peer_said("busy")
    );
}

#[tokio::test(start_paused = true)]
async fn a_channel_dropped_before_its_end_fails_for_the_peer() {
    let (told, mut outcome) = tokio::sync::mpsc::channel(1);
    let pair = Pair::with(
        move |server| {
            server.on_open("watch", move |channel: IncomingChannel| {
                let told = told.clone();
                async move {
                    let mut channel = channel.accept().unwrap();
                    while let Ok(Some(_)) = channel.recv().await {}
                    told.send(channel.recv().await).await.unwrap();
                }
            })
        },
        |client| client,
    )
    .await;
    let mut channel = pair.link.open(Open::reliable("watch")).await.unwrap();
    channel.opened().await.unwrap();
    drop(channel);
    assert_eq!(outcome.recv().await.unwrap(), Err(peer_said("dropped")));
}

#[tokio::test(start_paused = true)]
async fn a_channel_dropped_after_its_end_still_delivers() {
    let (told, mut received) = tokio::sync::mpsc::channel(1);
    let pair = Pair::with(
        move |server| {
            server.on_open("sink", move |channel: IncomingChannel| {
                let told = told.clone();
                async move {
                    let mut channel = channel.accept().unwrap();
                    let mut bytes = 0;
                    while let Some(packet) = channel.recv().await.unwrap() {
                        bytes += packet.body.len();
                    }
                    told.send(bytes).await.unwrap();
                }
            })
        },
        |client| client,
    )
    .await;
    let mut channel = pair.link.open(Open::reliable("sink")).await.unwrap();
    for _ in 0..300 {
        channel.send(Packet::new(vec![0; 1000])).await.unwrap();
    }
    channel.end().unwrap();
    drop(channel);
    assert_eq!(received.recv().await.unwrap(), 300_000);
}

#[tokio::test(start_paused = true)]
async fn failing_one_half_wakes_the_other() {
    let pair = Pair::new().await;
    let channel = pair.echo().await;
    let fails = async {
        tokio::task::yield_now().await;
        channel.fail("changed my mind");
    };
    let reads = poll_fn(|cx| channel.poll_recv(cx));
    let (read, ()) = tokio::join!(reads, fails);
    assert_eq!(read, Err(ChannelError::Local("changed my mind".into())));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_a_packet_is_an_error_with_the_room_there_is() {
    let pair = Pair::new().await;
    let mut channel = pair.echo().await;
    let quota = channel.quota();
    assert!(quota > 1000, "{quota}");
    let error = channel
        .send(Packet::new(vec![0; 70_000]))
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::TooLarge { .. }), "{error}");
    let open = Open::reliable("echo").body(vec![0; 70_000]);
    let error = pair.link.open(open).await.unwrap_err();
    assert!(matches!(error, OpenError::TooLarge { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn opening_waits_for_the_link_and_says_when_it_stays_down() {
    let pair = Pair::new().await;
    let anew = {
        pair.link.close();
        pair.client
            .link(pair.server.local_link_json())
            .await
            .unwrap()
    };
    let mut channel = anew.open(Open::reliable("echo")).await.unwrap();
    channel.opened().await.unwrap();
    let mut watch = anew.watch();
    pair.server.close().await;
    assert_eq!(watch.changed().await, Some(LinkState::Down));
    let open = Open::reliable("echo").timeout(Duration::from_secs(3));
    let error = anew.open(open).await.unwrap_err();
    assert!(matches!(error, OpenError::Down(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn channels_fail_when_the_peer_closes_the_link() {
    let pair = Pair::new().await;
    let mut channel = pair.echo().await;
    channel.opened().await.unwrap();
    pair.back().await.close();
    assert_eq!(channel.recv().await.unwrap_err(), peer_said("closed"));
}

#[tokio::test(start_paused = true)]
async fn no_more_packets_are_taken_at_once_than_asked_for() {
    let pair = Pair::new().await;
    let mut channel = pair.echo().await;
    for _ in 0..20 {
        channel.send(Packet::new("x")).await.unwrap();
    }
    channel.end().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut taken = VecDeque::new();
    let mut sizes = Vec::new();
    loop {
        let many = poll_fn(|cx| channel.poll_recv_many(cx, &mut taken, 8));
        match many.await.unwrap() {
            0 => break,
            size => sizes.push(size),
        }
    }
    assert_eq!(sizes, [8, 8, 4]);
    assert_eq!(taken.len(), 20);
}
