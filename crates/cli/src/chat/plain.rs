//! A chat in lines: what is read is said, what is said by others is printed.

use std::io::{self, BufRead as _, Read as _};
use std::thread;

use mesh::chat::limits::MAX_TEXT;
use tokio::sync::{mpsc, oneshot};

use super::input::{HELP, Input, Line};
use crate::failure::{Failure, Outcome};
use crate::record::Record;
use crate::report::{Printer, warn};

/// Reads and prints lines, in threads of their own: neither a blocked output nor a silent input holds anything else up.
pub(crate) struct Lines {
    /// Whoever types is there until the chat ends by itself.
    _inputs: mpsc::Sender<Input>,
    printed: oneshot::Receiver<io::Result<()>>,
}

impl Lines {
    /// Begins. Lines that are read go to `inputs`, and `records` are printed.
    pub(crate) fn start(
        json: bool,
        inputs: mpsc::Sender<Input>,
        records: mpsc::Receiver<Record>,
    ) -> Self {
        let (done, printed) = oneshot::channel();
        let reading = inputs.clone();
        thread::spawn(move || read(&mut io::stdin().lock(), &reading));
        thread::spawn(move || {
            // Nobody may wait for it any more.
            let _ = done.send(print(json, records));
        });
        Self {
            _inputs: inputs,
            printed,
        }
    }

    /// Works until the end of the chat, and until everything is printed.
    pub(crate) async fn with(self, chat: impl Future<Output = Outcome>) -> Outcome {
        let outcome = chat.await;
        match self.printed.await {
            Ok(Err(error)) => Err(Failure::output(&error)),
            _ => outcome,
        }
    }
}

fn print(json: bool, mut records: mpsc::Receiver<Record>) -> io::Result<()> {
    let (mut said, mut else_) = (Printer::new(json, false), Printer::new(json, !json));
    while let Some(record) = records.blocking_recv() {
        match &record {
            // Whoever typed it sees it already.
            Record::Message(message) | Record::Edited(message)
                if message.mine && !message.earlier && !json => {}
            Record::Message(_) | Record::Edited(_) => said.print(&record)?,
            _ => else_.print(&record)?,
        }
    }
    Ok(())
}

/// Reads lines to the end.
fn read(from: &mut impl io::BufRead, inputs: &mpsc::Sender<Input>) {
    loop {
        let input = match next_line(from) {
            Ok(None) => Input::End,
            Ok(Some(line)) => match Line::parse(&line) {
                Line::Wants(input) => input,
                Line::Quit => Input::End,
                Line::Nothing => continue,
                Line::Help => {
                    warn(HELP);
                    continue;
                }
                Line::Wrong(why) => {
                    warn(why);
                    continue;
                }
            },
            Err(error) => {
                warn(format_args!("standard input is read no further: {error}"));
                Input::End
            }
        };
        let is_end = input == Input::End;
        if inputs.blocking_send(input).is_err() || is_end {
            return;
        }
    }
}

/// The next line; none at the end. One that is too long to be said is an error, and its rest is passed over.
fn next_line(from: &mut impl io::BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let limit = MAX_TEXT + 2;
    from.take(limit as u64).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() == limit && line.last() != Some(&b'\n') {
        loop {
            let mut rest = Vec::new();
            from.take(limit as u64).read_until(b'\n', &mut rest)?;
            if rest.is_empty() || rest.last() == Some(&b'\n') {
                break;
            }
        }
        warn(format_args!(
            "a line is longer than the {MAX_TEXT} bytes that can be said at once, and was left out"
        ));
        return Ok(Some(String::new()));
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::INPUT_CAPACITY;

    #[test]
    fn a_line_is_as_long_as_a_text_may_be_and_a_longer_one_is_left_out() {
        let longest = "x".repeat(MAX_TEXT);
        let text = format!("{longest}\n{longest}{longest}{longest}y\nshort\nrest");
        let mut from = io::Cursor::new(text);
        let mut next = || next_line(&mut from).unwrap();
        assert_eq!(next().unwrap().trim_end(), longest);
        assert_eq!(next().unwrap(), "");
        assert_eq!(next().unwrap(), "short\n");
        assert_eq!(next().unwrap(), "rest");
        assert_eq!(next(), None);
    }

    #[test]
    fn whoever_types_waits_while_nobody_takes_what_is_typed() {
        let (inputs, mut taken) = mpsc::channel(INPUT_CAPACITY);
        let lines: Vec<String> = (0..3 * INPUT_CAPACITY)
            .map(|number| number.to_string())
            .collect();
        let mut from = io::Cursor::new(lines.join("\n"));
        let typing = thread::spawn(move || read(&mut from, &inputs));
        while taken.len() < INPUT_CAPACITY {
            thread::yield_now();
        }
        assert!(!typing.is_finished());
        for line in lines {
            assert_eq!(taken.blocking_recv(), Some(Input::Say(line)));
        }
        assert_eq!(taken.blocking_recv(), Some(Input::End));
        assert_eq!(taken.blocking_recv(), None);
        typing.join().unwrap();
    }

    #[test]
    fn bytes_that_are_no_text_are_no_error() {
        let mut from = io::Cursor::new(b"a\xffb\n".to_vec());
        assert_eq!(next_line(&mut from).unwrap().unwrap(), "a\u{fffd}b\n");
    }
}
