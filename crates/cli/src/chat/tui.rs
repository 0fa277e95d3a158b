//! A chat on the whole screen of a terminal.

mod draw;
mod item;
mod keys;
mod state;
mod terminal;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event};
use tokio::sync::{mpsc, oneshot};

use self::keys::Wish;
use self::state::State;
use self::terminal::Terminal;
use super::input::{Doing, Input};
use crate::failure::{Failure, Outcome};
use crate::record::Record;

/// Keys and records that wait to be shown. At the limit the chat waits, and so does the terminal.
const HAPPENING_CAPACITY: usize = 64;

/// Keys and records that are taken in between two pictures, at most.
const AT_ONCE: usize = 256;

/// Whoever has typed nothing for so long has paused.
const PAUSE: Duration = Duration::from_secs(10);

/// How long the terminal may take to be as it was before.
const LEAVING: Duration = Duration::from_secs(2);

/// The screen, while there is a chat on it.
pub(crate) struct Screen {
    /// Gone once it is known how it ended.
    done: Option<oneshot::Receiver<io::Result<()>>>,
    stop: Arc<AtomicBool>,
    wake: SyncSender<Happening>,
}

/// What the screen has to follow.
enum Happening {
    Typed(Event),
    Unreadable(io::Error),
    Record(Box<Record>),
    /// There is nothing more to come.
    Over,
}

impl Screen {
    /// Takes the screen. What is typed goes to `inputs`, and `records` are shown.
    pub(crate) fn start(inputs: mpsc::Sender<Input>, records: mpsc::Receiver<Record>) -> Self {
        let (wake, happenings) = sync_channel(HAPPENING_CAPACITY);
        let (tell, done) = oneshot::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (keys, news, stopped) = (wake.clone(), wake.clone(), stop.clone());
        thread::spawn(move || forward(records, &news));
        let work = move || {
            let shown = show(&happenings, &inputs, keys, &stopped);
            // Nobody may wait for it any more.
            let _ = tell.send(shown);
        };
        // Without a thread nobody tells how it ended, which is a failure.
        let _ = thread::Builder::new()
            .name(terminal::NAME.into())
            .spawn(work);
        Self {
            done: Some(done),
            stop,
            wake,
        }
    }

    /// Works until the end of the chat, and gives the screen back.
    pub(crate) async fn with(mut self, chat: impl Future<Output = Outcome>) -> Outcome {
        let outcome = chat.await;
        let Some(done) = self.done.take() else {
            return outcome;
        };
        match done.await {
            Ok(Ok(())) => outcome,
            Ok(Err(error)) => Err(
                Failure::failed(format_args!("the terminal failed: {error}"))
                    .hint("--plain reads and prints lines instead"),
            ),
            Err(_) => Err(Failure::failed(
                "a fault of this program ended the chat; please report it",
            )),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let Some(mut done) = self.done.take() else {
            return;
        };
        // We are told to end in the middle of it.
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.wake.try_send(Happening::Over);
        let start = Instant::now();
        while matches!(done.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            if start.elapsed() > LEAVING {
                return terminal::cook();
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn forward(mut records: mpsc::Receiver<Record>, to: &SyncSender<Happening>) {
    while let Some(record) = records.blocking_recv() {
        if to.send(Happening::Record(Box::new(record))).is_err() {
            return;
        }
    }
    // Nobody may be there any more.
    let _ = to.send(Happening::Over);
}

/// Reads keys for ever: nothing can end that but the end of the program.
fn read_keys(to: &SyncSender<Happening>) {
    loop {
        let typed = event::read();
        let failed = typed.is_err();
        let happening = typed.map_or_else(Happening::Unreadable, Happening::Typed);
        if to.send(happening).is_err() || failed {
            return;
        }
    }
}

/// Shows the chat until it is over, or whoever looks has enough.
fn show(
    happenings: &Receiver<Happening>,
    inputs: &mpsc::Sender<Input>,
    keys: SyncSender<Happening>,
    stop: &AtomicBool,
) -> io::Result<()> {
    let mut terminal = Terminal::enter()?;
    thread::spawn(move || read_keys(&keys));
    let mut viewer = Viewer::new(inputs);
    while !stop.load(Ordering::Relaxed) {
        terminal.show(&mut viewer.state)?;
        let Some(first) = viewer.wait(happenings) else {
            continue;
        };
        let more = happenings.try_iter().take(AT_ONCE);
        for happening in std::iter::once(first).chain(more) {
            match happening {
                Happening::Over => return Ok(()),
                Happening::Unreadable(error) => return Err(error),
                Happening::Record(record) => viewer.state.take(*record),
                Happening::Typed(event) => {
                    if viewer.typed(&event) {
                        return Ok(());
                    }
                }
            }
        }
        viewer.tell_doing();
    }
    Ok(())
}

/// Whoever looks at the screen and types.
struct Viewer<'a> {
    state: State,
    inputs: &'a mpsc::Sender<Input>,
    /// What the others were told that we do.
    told: Doing,
    last_key: Instant,
}

impl<'a> Viewer<'a> {
    fn new(inputs: &'a mpsc::Sender<Input>) -> Self {
        Self {
            state: State::default(),
            inputs,
            told: Doing::Looking,
            last_key: Instant::now(),
        }
    }

    /// The next thing to follow; none if it is time to say that we have paused.
    fn wait(&mut self, happenings: &Receiver<Happening>) -> Option<Happening> {
        if self.told != Doing::Typing {
            return Some(happenings.recv().unwrap_or(Happening::Over));
        }
        match happenings.recv_timeout(PAUSE.saturating_sub(self.last_key.elapsed())) {
            Ok(happening) => Some(happening),
            Err(RecvTimeoutError::Disconnected) => Some(Happening::Over),
            Err(RecvTimeoutError::Timeout) => {
                self.tell_doing();
                None
            }
        }
    }

    /// Follows what was typed; whether that was to leave at once.
    fn typed(&mut self, event: &Event) -> bool {
        self.last_key = Instant::now();
        match keys::typed(&mut self.state, event) {
            None => false,
            Some(Wish::Leave) => true,
            Some(Wish::Do(input)) => {
                self.send(input);
                false
            }
        }
    }

    fn send(&mut self, input: Input) {
        let says = matches!(input, Input::Say(_) | Input::Edit(_));
        match self.inputs.try_send(input) {
            // With it the others hear that we type no more.
            Ok(()) if says => self.told = Doing::Looking,
            Ok(()) => {}
            Err(error) => {
                if let Input::Say(text) | Input::Edit(text) = error.into_inner() {
                    self.state.keep(text);
                }
                self.state
                    .note("it was not taken, since too much waits: try again");
            }
        }
    }

    fn tell_doing(&mut self) {
        let doing = match self.state.doing() {
            Doing::Typing if self.last_key.elapsed() >= PAUSE => Doing::Pausing,
            doing => doing,
        };
        // It is no harm if they miss that.
        if doing != self.told && self.state.is_joined() {
            let _ = self.inputs.try_send(Input::Doing(doing));
            self.told = doing;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_wait_while_nobody_shows_them() {
        let (shown, happenings) = sync_channel(HAPPENING_CAPACITY);
        let (report, records) = mpsc::channel(3 * HAPPENING_CAPACITY);
        for _ in 0..3 * HAPPENING_CAPACITY {
            report.try_send(Record::Delivered { count: 1 }).unwrap();
        }
        let forwarding = thread::spawn(move || forward(records, &shown));
        // One more is in the hands of who forwards it.
        while report.capacity() < HAPPENING_CAPACITY + 1 {
            thread::yield_now();
        }
        assert!(!forwarding.is_finished());
        assert_eq!(report.capacity(), HAPPENING_CAPACITY + 1);
        drop(report);
        let all: Vec<Happening> = happenings.iter().collect();
        assert_eq!(all.len(), 3 * HAPPENING_CAPACITY + 1);
        assert!(matches!(all.last(), Some(Happening::Over)));
        forwarding.join().unwrap();
    }
}
