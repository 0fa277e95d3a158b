//! Peers that are only half there.

use std::time::Duration;

use telehash_channel_ws::limits::ANSWER_TIMEOUT;
use telehash_channel_ws::{
    IncomingWs, LinkWsExt as _, Message, WsConfig, WsError, WsRequest, WsRoutes,
};

use crate::common::{Pair, echo};

/// Accepts, and does nothing ever after.
async fn sleep(incoming: IncomingWs) -> Result<(), WsError> {
    let _ws = incoming.accept().await?;
    std::future::pending().await
}

fn kept_alive(path: &str) -> WsRequest {
    let config = WsConfig::new().keepalive(Duration::from_secs(20), Duration::from_secs(5));
    WsRequest::new(path).config(config)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_given_up_after_a_ping() {
    let pair = Pair::new(WsRoutes::new().path("/", sleep)).await;
    let mut ws = pair.link.ws(kept_alive("/")).await.unwrap();
    let begin = tokio::time::Instant::now();
    let error = ws.recv().await.unwrap_err();
    assert!(
        matches!(error, WsError::Silent(silence) if silence.as_secs() == 25),
        "{error}"
    );
    assert!(begin.elapsed() >= Duration::from_secs(25));
    assert_eq!(ws.recv().await.unwrap(), None);
    assert!(ws.send("anybody?").await.is_err());
    assert!(pair.link.is_up());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_is_kept() {
    let pair = Pair::new(WsRoutes::new().path("/", echo)).await;
    let mut ws = pair.link.ws(kept_alive("/")).await.unwrap();
    let reads = async {
        let mut pongs = 0;
        while let Ok(Some(_)) = ws.recv().await {
            pongs += 1;
            if pongs == 10 {
                break;
            }
        }
        pongs
    };
    assert_eq!(reads.await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_not_answered_in_time_ends_the_channel() {
    let pair = Pair::new(WsRoutes::new().path("/", sleep)).await;
    let mut ws = pair.link.ws("/").await.unwrap();
    let error = ws.close(None).await.unwrap_err();
    assert!(
        matches!(error, WsError::Unanswered(limit) if limit == ANSWER_TIMEOUT),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_neither_accepts_nor_refuses_is_not_waited_for_for_ever() {
    let undecided = async |incoming: IncomingWs| {
        std::future::pending::<()>().await;
        drop(incoming);
    };
    let pair = Pair::new(WsRoutes::new().path("/", undecided)).await;
    let error = pair.link.ws("/").await.unwrap_err();
    assert!(
        matches!(error, WsError::Unanswered(_) | WsError::Channel(_)),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_gone_without_a_close_is_an_error() {
    // Not before it was heard: what fails at once was never open.
    let gone = async |incoming: IncomingWs| {
        let mut ws = incoming.accept().await?;
        ws.recv().await.map(drop)
    };
    let pair = Pair::new(WsRoutes::new().path("/", gone)).await;
    let mut ws = pair.link.ws("/").await.unwrap();
    ws.send(Message::Text("go".into())).await.unwrap();
    let error = ws.recv().await.unwrap_err();
    assert!(matches!(error, WsError::Channel(_)), "{error}");
    assert_eq!(ws.recv().await.unwrap(), None);
}
