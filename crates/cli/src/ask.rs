//! `--accept ask`: strangers, at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::thread;

use mesh::{Accept, Decision, Stranger};
use tokio::sync::{Mutex, mpsc};

use crate::record::show_path;

/// Lines typed ahead; the terminal keeps the rest.
const TYPED_AHEAD: usize = 1;

/// Asks about one stranger at a time, and refuses everybody without a terminal.
pub(crate) fn policy() -> Accept {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Accept::ask(|_| async { Decision::Refuse });
    }
    let answers = Arc::new(Mutex::new(read_lines()));
    Accept::ask(move |stranger| {
        let answers = answers.clone();
        async move { ask(&stranger, &mut *answers.lock().await).await }
    })
}

async fn ask(stranger: &Stranger, answers: &mut mpsc::Receiver<String>) -> Decision {
    // Whatever was typed before answers no question.
    while answers.try_recv().is_ok() {}
    let from = stranger
        .path
        .as_ref()
        .map_or_else(|| "an unknown path".to_owned(), show_path);
    let question = format!(
        "{} asks for a link from {from}; accept? [y/N] ",
        stranger.hashname
    );
    if io::stderr().write_all(question.as_bytes()).is_err() {
        return Decision::Refuse;
    }
    match answers.recv().await.as_deref().map(str::trim) {
        Some("y" | "Y" | "yes") => Decision::Accept,
        _ => Decision::Refuse,
    }
}

/// A thread, because nothing else can wait for a terminal.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(TYPED_AHEAD);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
