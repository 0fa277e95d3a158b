//! The terminal: taken, and given back as it was, whatever happens.

use std::io::{self, Stdout, Write as _, stdout};
use std::panic;
use std::sync::Once;
use std::thread;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::{Position, Rect};

use super::draw::draw;
use super::state::State;
use crate::logging;

/// The name of the thread that has it.
pub(super) const NAME: &str = "screen";

/// The terminal, while it is ours.
pub(super) struct Terminal {
    inner: ratatui::Terminal<CrosstermBackend<Stdout>>,
    /// A page is shown in place of the screen.
    paging: bool,
    _taken: Taken,
}

/// Gives the terminal back, however little of it was taken.
struct Taken;

impl Terminal {
    /// Takes it.
    pub(super) fn enter() -> io::Result<Self> {
        give_back_on_panic();
        enable_raw_mode()?;
        // From here on it is given back.
        let taken = Taken;
        logging::hold(true);
        let terminal = Self {
            inner: ratatui::Terminal::new(CrosstermBackend::new(stdout()))?,
            paging: false,
            _taken: taken,
        };
        execute!(
            stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            EnableFocusChange
        )?;
        Ok(terminal)
    }

    /// Has everything drawn anew. ratatui's own `clear` asks the terminal where the cursor is, and whoever reads the
    /// keys would get the answer.
    fn clear(&mut self) -> io::Result<()> {
        let size = self.inner.size()?;
        self.inner.resize(Rect::from((Position::ORIGIN, size)))
    }

    /// Shows how things are.
    pub(super) fn show(&mut self, state: &mut State) -> io::Result<()> {
        match (state.page(), self.paging) {
            (Some(page), false) => {
                self.paging = true;
                show_page(page)
            }
            (Some(_), true) => Ok(()),
            (None, paging) => {
                if paging {
                    self.paging = false;
                    execute!(stdout(), EnterAlternateScreen)?;
                    self.clear()?;
                }
                if state.takes_anew() {
                    self.clear()?;
                }
                self.inner.draw(|frame| draw(frame, state)).map(drop)
            }
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// On the screen as it was before: there a long line can be copied as one.
fn show_page(page: &str) -> io::Result<()> {
    execute!(stdout(), LeaveAlternateScreen, Show)?;
    let mut out = stdout().lock();
    for line in page.lines() {
        write!(out, "{line}\r\n")?;
    }
    write!(out, "\r\n(Enter: on to the chat)\r\n")?;
    out.flush()
}

/// At least lines can be typed again. It takes no lock of whoever is stuck in writing.
pub(super) fn cook() {
    // There is nothing else to try.
    let _ = disable_raw_mode();
    logging::hold(false);
}

fn give_back() {
    // Each as far as it goes: there is nothing else to try.
    let _ = execute!(
        stdout(),
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    cook();
}

/// A panic's message is to be read on the terminal as it was. Those of others, such as one that ends a link and
/// nothing else, do not end the chat.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if matches!(thread::current().name(), Some(NAME | "main")) {
                give_back();
            }
            before(info);
        }));
    });
}
