//! Who gets where.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use telehash_channel_sock::limits::MAX_ADDRESSES;
use telehash_channel_sock::{
    AllowRule, Destination, LinkSockExt as _, MeshSockExt as _, SockError, SockPolicy,
};

use crate::common::{Pair, echo, local, within};

/// What the peer says to `destination` under these rules. Nothing is connected to that is not of
/// this machine: names resolve to `addresses`.
async fn asked(rules: &[&str], destination: &str, addresses: &[&str]) -> Result<(), SockError> {
    let rule = |policy: SockPolicy, rule: &&str| policy.allow(rule.parse().unwrap());
    let policy = rules.iter().fold(SockPolicy::new(), rule);
    let found: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
    let policy = policy.resolver(move |_| std::future::ready(Ok(found.clone())));
    let pair = Pair::new(policy).await;
    within(pair.link.connect(destination.parse().unwrap()))
        .await
        .map(|_| ())
}

#[track_caller]
fn assert_denied(outcome: &Result<(), SockError>) {
    assert!(matches!(outcome, Err(SockError::Denied)), "{outcome:?}");
}

#[tokio::test]
async fn nothing_is_allowed_by_default_and_both_sides_learn_of_it() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = told.clone();
    let policy =
        SockPolicy::new().on_denied(move |denial| hook.lock().unwrap().push(denial.clone()));
    let pair = Pair::new(policy).await;
    let to: Destination = "127.0.0.1:80".parse().unwrap();
    let denied = within(pair.link.connect(to.clone())).await.map(|_| ());
    assert_denied(&denied);
    let denied = within(pair.link.datagrams(to.clone())).await.map(|_| ());
    assert_denied(&denied);
    let denied = within(pair.link.bind(Destination::any(0)))
        .await
        .map(|_| ());
    assert_denied(&denied);
    let told = told.lock().unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|denial| (denial.peer, denial.destination.clone(), denial.bind))
        .collect();
    let me = pair.client.hashname();
    let expected = [
        (me, to.clone(), false),
        (me, to, false),
        (me, Destination::any(0), true),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn everything_does_not_cover_what_is_private() {
    let everything = ["*:*", "0.0.0.0/0", "[::/0]:*", "0.0.0.0/1", "128.0.0.0/1"];
    for destination in [
        "127.0.0.1:80",
        "10.0.0.1:80",
        "192.168.0.1:80",
        "172.16.0.1:80",
        "169.254.169.254:80",
        "100.64.0.1:80",
        "0.0.0.0:80",
        "255.255.255.255:80",
        "224.0.0.1:80",
        "[::1]:80",
        "[::]:80",
        "[fe80::1]:80",
        "[fd00::1]:80",
        "[::ffff:127.0.0.1]:80",
        "[::ffff:169.254.169.254]:80",
        "[64:ff9b::7f00:1]:80",
        "[2002:7f00:1::]:80",
    ] {
        assert_denied(&asked(&everything, destination, &[]).await);
    }
}

#[tokio::test]
async fn each_kind_of_rule_allows_what_it_says_and_no_more() {
    let open = echo().await;
    let port = open.port();
    let other = port ^ 1;
    let here = open.to_string();
    for rule in [
        "127.0.0.0/8".to_owned(),
        "127.0.0.1".to_owned(),
        format!("127.0.0.1:{port}"),
        format!("127.0.0.0/30:{}-{port}", port - 1),
        "127.0.0.1:*".to_owned(),
    ] {
        let allowed = asked(&[&rule], &here, &[]).await;
        assert!(allowed.is_ok(), "{rule}: {allowed:?}");
    }
    for rule in [
        format!("127.0.0.1:{other}"),
        "127.0.0.2/32".to_owned(),
        format!("example.org:{port}"),
        format!("localhost:{port}"),
    ] {
        assert_denied(&asked(&[&rule], &here, &[]).await);
    }
}

#[tokio::test]
async fn a_name_is_allowed_by_its_rule_but_not_what_is_private_behind_it() {
    let port = echo().await.port();
    let named = format!("example.org:{port}");
    let rules = [named.as_str()];
    assert_denied(&asked(&rules, &named, &["127.0.0.1"]).await);
    assert_denied(&asked(&rules, &named, &["::ffff:127.0.0.1"]).await);
    assert_denied(&asked(&rules, &format!("example.com:{port}"), &["127.0.0.1"]).await);
    // With a rule for the address, too, it is reached: and only by way of that one.
    let both = [named.as_str(), "127.0.0.1"];
    let mixed = asked(&both, &named, &["10.0.0.1", "127.0.0.1"]).await;
    assert!(mixed.is_ok(), "{mixed:?}");
    // The one name that says that it is this machine.
    let rule = format!("localhost:{port}");
    assert!(asked(&[&rule], &rule, &["127.0.0.1"]).await.is_ok());
    assert_denied(&asked(&[&rule], &rule, &["10.0.0.1"]).await);
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_looked_up_once_and_reached_where_it_was_checked() {
    let open = echo().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let policy = SockPolicy::new()
        .allow("127.0.0.1".parse().unwrap())
        .resolver(move |_| {
            let first = count.fetch_add(1, Ordering::Relaxed) == 0;
            let ip: IpAddr = if first { [127, 0, 0, 1] } else { [10, 0, 0, 1] }.into();
            std::future::ready(Ok(vec![ip]))
        });
    let pair = Pair::new(policy).await;
    let to = Destination::new("example.org", open.port()).unwrap();
    within(pair.link.connect(to.clone())).await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let moved = within(pair.link.connect(to)).await.map(|_| ());
    assert_denied(&moved);
}

#[tokio::test]
async fn a_name_that_no_rule_could_allow_is_not_looked_up() {
    let policy = SockPolicy::new()
        .allow("example.org:80".parse().unwrap())
        .resolver(|name| async move { panic!("{name} was looked up") });
    let pair = Pair::new(policy).await;
    for to in ["example.com:80", "example.org:81"] {
        let denied = within(pair.link.connect(to.parse().unwrap()))
            .await
            .map(|_| ());
        assert_denied(&denied);
    }
}

#[tokio::test]
async fn a_name_is_tried_at_so_many_addresses() {
    let open = echo().await;
    let to = Destination::new("example.org", open.port())
        .unwrap()
        .to_string();
    let mut addresses: Vec<String> = (2..=MAX_ADDRESSES)
        .map(|n| format!("127.0.1.{n}"))
        .collect();
    addresses.push("127.0.0.1".to_owned());
    let as_strs: Vec<&str> = addresses.iter().map(String::as_str).collect();
    assert!(asked(&["127.0.0.0/8"], &to, &as_strs).await.is_ok());
    addresses.insert(0, "127.0.1.1".to_owned());
    let as_strs: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let beyond = asked(&["127.0.0.0/8"], &to, &as_strs).await;
    assert!(matches!(beyond, Err(SockError::Refused)), "{beyond:?}");
}

#[tokio::test]
async fn rules_may_be_for_one_peer() {
    let to: Destination = echo().await.into();
    let pair = Pair::new(SockPolicy::new()).await;
    let rule: AllowRule = "127.0.0.1".parse().unwrap();
    let somebody = pair.server.hashname();
    pair.server
        .serve_sock(SockPolicy::new().allow_peer(somebody, rule.clone()));
    assert!(within(pair.link.connect(to.clone())).await.is_err());
    let me = pair.client.hashname();
    pair.server
        .serve_sock(SockPolicy::new().allow_peer(me, rule));
    assert!(within(pair.link.connect(to.clone())).await.is_ok());
    let closure = move |peer: &_| {
        if *peer == me {
            local()
        } else {
            SockPolicy::new()
        }
    };
    pair.server.serve_sock(SockPolicy::new().by_peer(closure));
    assert!(within(pair.link.connect(to)).await.is_ok());
    assert!(within(pair.link.bind(Destination::any(0))).await.is_ok());
}

#[tokio::test]
async fn a_bind_is_allowed_on_its_own_and_only_where_the_rule_says() {
    let policy = SockPolicy::new()
        .allow("127.0.0.0/8".parse().unwrap())
        .allow_bind("127.0.0.1:0".parse().unwrap());
    let pair = Pair::new(policy).await;
    for at in [
        Destination::any(1),
        "0.0.0.0:0".parse().unwrap(),
        "127.0.0.2:0".parse().unwrap(),
    ] {
        let denied = within(pair.link.bind(at)).await.map(|_| ());
        assert_denied(&denied);
    }
    let bound = within(pair.link.bind(Destination::any(0))).await.unwrap();
    assert_eq!(bound.local().ip(), IpAddr::from([127, 0, 0, 1]));
}

#[test]
fn what_is_no_rule_is_an_error() {
    for rule in [
        "",
        ":80",
        "*:",
        "*:80-70",
        "10.0.0.0/33",
        "fd00::/8:80",
        "a b:80",
        "1.2.3:4",
        "x:99999",
    ] {
        assert!(rule.parse::<AllowRule>().is_err(), "{rule}");
    }
}
