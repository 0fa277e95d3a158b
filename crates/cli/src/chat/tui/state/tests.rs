//! What is on the screen after what happened and was typed.

use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use unicode_width::UnicodeWidthStr as _;

use super::super::draw::draw;
use super::super::keys::{Wish, typed};
use super::*;
use crate::chat::input::Input;
use crate::record::{ChatRecord, MessageRecord};

/// Somebody who looks at a chat and types.
struct Viewer {
    state: State,
    terminal: ratatui::Terminal<TestBackend>,
}

impl Viewer {
    fn new(width: u16, height: u16) -> Self {
        let mut viewer = Self {
            state: State {
                zone: TimeZone::UTC,
                ..State::default()
            },
            terminal: ratatui::Terminal::new(TestBackend::new(width, height)).unwrap(),
        };
        viewer.state.take(Record::Chat(ChatRecord {
            chat: "5rfiuj7viqwdy".into(),
            title: Some("team".into()),
            leader: "anns".into(),
            hashname: "mine".into(),
            name: "Me".into(),
            restored: false,
            joined: true,
        }));
        viewer
    }

    /// Lines of the screen, with nothing at their ends.
    fn screen(&mut self) -> Vec<String> {
        self.terminal
            .draw(|frame| draw(frame, &mut self.state))
            .unwrap();
        let buffer = self.terminal.backend().buffer();
        let width = usize::from(buffer.area.width);
        if width == 0 {
            return Vec::new();
        }
        let rows = buffer.content.chunks(width);
        rows.map(|row| {
            let mut line = String::new();
            let mut skip = 0;
            for cell in row {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                line.push_str(cell.symbol());
                skip = cell.symbol().width().saturating_sub(1);
            }
            line.trim_end().to_owned()
        })
        .collect()
    }

    fn has(&mut self, text: &str) -> bool {
        self.screen().iter().any(|line| line.contains(text))
    }

    fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
    }

    fn key(&mut self, code: KeyCode) -> Option<Wish> {
        self.keys(code, KeyModifiers::NONE)
    }

    fn keys(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Option<Wish> {
        typed(&mut self.state, &Event::Key(KeyEvent::new(code, modifiers)))
    }

    fn write(&mut self, text: &str) {
        for char in text.chars() {
            assert_eq!(self.key(KeyCode::Char(char)), None);
        }
    }

    fn enter(&mut self, text: &str) -> Option<Wish> {
        self.write(text);
        self.key(KeyCode::Enter)
    }

    fn hear(&mut self, number: usize, text: &str) {
        let follows = number.checked_sub(1).map(|before| before.to_string());
        self.state.take(Record::Message(MessageRecord {
            follows,
            ..message(number, text)
        }));
    }
}

fn message(number: usize, text: &str) -> MessageRecord {
    MessageRecord {
        id: number.to_string(),
        hashname: "anns".into(),
        name: "Ann".into(),
        text: text.into(),
        at: Some(1_394_162_554),
        mine: false,
        earlier: false,
        follows: None,
    }
}

fn person(hashname: &str, name: &str, state: Presence) -> Record {
    Record::Participant(ParticipantRecord {
        hashname: hashname.into(),
        name: name.into(),
        state,
        leads: false,
    })
}

fn say(text: &str) -> Option<Wish> {
    Some(Wish::Do(Input::Say(text.into())))
}

#[test]
fn what_is_said_is_shown_with_time_and_name_and_who_is_there() {
    let mut viewer = Viewer::new(80, 10);
    viewer.hear(0, "hello");
    viewer.state.take(person("anns", "Ann", Presence::Online));
    viewer.state.take(person("bobs", "Bob", Presence::Typing));
    let screen = viewer.screen();
    assert!(
        screen[0].contains("team · you are Me · 2 of 2 others here"),
        "{screen:#?}"
    );
    assert!(
        screen.iter().any(|line| line.contains("03:22 Ann: hello")),
        "{screen:#?}"
    );
    assert!(
        screen.iter().any(|line| line.contains("● typing Bob")),
        "{screen:#?}"
    );
    assert!(screen[8].contains("Bob is typing"), "{screen:#?}");
    assert_eq!(screen[9], ">");
    viewer.state.take(person("bobs", "Bob", Presence::Offline));
    assert!(viewer.has("Bob is gone") && viewer.has("offline Bob"));
    assert!(viewer.has("1 of 2 others here"));
}

#[test]
fn what_is_typed_is_said_and_commands_are_done() {
    let mut viewer = Viewer::new(60, 10);
    assert_eq!(viewer.enter("hello"), say("hello"));
    assert_eq!(viewer.enter("  "), None);
    assert_eq!(viewer.enter("//x"), say("/x"));
    assert_eq!(
        viewer.enter("/admit Bob"),
        Some(Wish::Do(Input::Admit("Bob".into())))
    );
    assert_eq!(viewer.enter("/who"), None);
    assert!(viewer.has("nobody else takes part yet"));
    assert_eq!(viewer.enter("/nothing"), None);
    assert!(viewer.has("there is no command /nothing"));
    assert_eq!(viewer.enter("/help"), None);
    assert!(viewer.has("/me DOES SOMETHING"));
    assert_eq!(viewer.enter("/quit"), Some(Wish::Do(Input::End)));
    assert!(viewer.has("leaving"));
    assert_eq!(
        viewer.keys(KeyCode::Char('c'), KeyModifiers::CONTROL),
        Some(Wish::Leave)
    );
}

#[test]
fn the_line_is_edited_in_the_middle_and_by_words() {
    let mut viewer = Viewer::new(60, 10);
    viewer.write("grüße 你好 welt");
    viewer.key(KeyCode::Home);
    viewer.key(KeyCode::Delete);
    viewer.write("G");
    viewer.keys(KeyCode::Right, KeyModifiers::CONTROL);
    viewer.key(KeyCode::End);
    viewer.keys(KeyCode::Char('w'), KeyModifiers::CONTROL);
    viewer.key(KeyCode::Left);
    viewer.key(KeyCode::Backspace);
    assert_eq!(viewer.screen()[9], "> Grüße 你");
    assert_eq!(viewer.key(KeyCode::Enter), say("Grüße 你 "));
    viewer.write("gone");
    viewer.keys(KeyCode::Char('u'), KeyModifiers::CONTROL);
    assert_eq!(viewer.key(KeyCode::Enter), None);
}

#[test]
fn the_cursor_is_behind_what_was_typed_however_wide_and_long_that_is() {
    let mut viewer = Viewer::new(20, 5);
    viewer.write("你好e\u{301}");
    viewer.screen();
    let position = viewer.terminal.backend().cursor_position();
    assert_eq!((position.x, position.y), (2 + 5, 4));
    viewer.write(&"x".repeat(100));
    let screen = viewer.screen();
    assert!(
        screen[4].ends_with("xxx") && screen[4].width() <= 20,
        "{screen:#?}"
    );
    assert!(viewer.terminal.backend().cursor_position().x < 20);
}

#[test]
fn what_was_said_last_is_changed() {
    let mut viewer = Viewer::new(60, 10);
    let mine = MessageRecord {
        mine: true,
        name: "Me".into(),
        ..message(7, "helo")
    };
    viewer.state.take(Record::Message(mine.clone()));
    viewer.key(KeyCode::Up);
    assert!(viewer.has("edit> helo"));
    assert_eq!(viewer.state.doing(), Doing::Looking);
    viewer.key(KeyCode::Backspace);
    viewer.write("lo");
    assert_eq!(
        viewer.key(KeyCode::Enter),
        Some(Wish::Do(Input::Edit("hello".into())))
    );
    viewer.state.take(Record::Edited(MessageRecord {
        text: "hello".into(),
        ..mine
    }));
    assert!(viewer.has("Me: hello (edited)") && !viewer.has("helo "));
    viewer.key(KeyCode::Up);
    viewer.key(KeyCode::Esc);
    assert_eq!(viewer.screen()[9], ">");
    assert_eq!(
        viewer.enter("/edit HELLO"),
        Some(Wish::Do(Input::Edit("HELLO".into())))
    );
}

#[test]
fn scrolled_back_the_lines_stay_where_they_are_while_more_is_said() {
    let mut viewer = Viewer::new(50, 13);
    for number in 0..100 {
        viewer.hear(number, &format!("number {number}."));
    }
    assert!(viewer.has("number 99.") && !viewer.has("number 50."));
    viewer.key(KeyCode::PageUp);
    viewer.key(KeyCode::PageUp);
    let before = viewer.screen();
    assert!(!viewer.has("number 99."));
    viewer.hear(
        100,
        "and one that takes more than one line on a screen that is as narrow as this",
    );
    let after = viewer.screen();
    assert_eq!(before[1..11], after[1..11]);
    assert!(after[11].contains("1 new below"), "{after:#?}");
    for _ in 0..100 {
        viewer.key(KeyCode::PageUp);
        viewer.screen();
    }
    assert!(viewer.has("number 0."));
    for _ in 0..100 {
        viewer.key(KeyCode::PageDown);
    }
    assert!(viewer.has("as narrow as this") && !viewer.has("new below"));
    viewer.key(KeyCode::PageUp);
    assert_eq!(viewer.enter("back"), say("back"));
    assert!(viewer.has("as narrow as this"));
}

#[test]
fn a_message_that_comes_late_is_put_where_it_belongs() {
    let mut viewer = Viewer::new(60, 10);
    viewer.hear(0, "first");
    viewer.hear(1, "third");
    viewer.state.take(Record::Message(MessageRecord {
        id: "late".into(),
        follows: Some("0".into()),
        ..message(0, "second")
    }));
    let screen = viewer.screen().join("\n");
    let at = |text| screen.find(text).unwrap();
    assert!(
        at("first") < at("second") && at("second") < at("third"),
        "{screen}"
    );
}

#[test]
fn nothing_that_a_terminal_obeys_gets_to_the_screen() {
    const HOSTILE: &str =
        "\x1b]52;c;eA==\x07\x1b[2J\u{9b}31m\r\x08\u{202e}liame\u{2066}\u{200f}\0\u{7f}x";
    let mut viewer = Viewer::new(70, 20);
    let chat = ChatRecord {
        chat: HOSTILE.into(),
        title: Some(HOSTILE.into()),
        leader: "anns".into(),
        hashname: "mine".into(),
        name: HOSTILE.into(),
        restored: false,
        joined: true,
    };
    viewer.state.take(Record::Chat(chat));
    let hostile = MessageRecord {
        name: HOSTILE.into(),
        ..message(0, HOSTILE)
    };
    viewer.state.take(Record::Message(hostile.clone()));
    viewer.state.take(Record::Edited(hostile));
    viewer.state.take(person("bobs", HOSTILE, Presence::Typing));
    let (hashname, name) = ("eves".into(), HOSTILE.into());
    viewer.state.take(Record::Knock { hashname, name });
    viewer.state.take(Record::Warning {
        message: HOSTILE.into(),
    });
    viewer.state.who();
    viewer.state.edit_last();
    let _ = typed(&mut viewer.state, &Event::Paste(HOSTILE.into()));
    for line in viewer.screen() {
        assert!(!line.contains(is_unsafe), "{line:?}");
    }
    assert!(viewer.has("liame"));
    assert!(!viewer.state.editor.value().contains(is_unsafe));
}

#[test]
fn a_name_and_a_text_that_combine_or_are_wide_take_no_more_than_their_columns() {
    let mut viewer = Viewer::new(40, 12);
    let zalgo = format!("z{}", "\u{301}".repeat(200));
    viewer.hear(0, &format!("{zalgo}你好👩‍👩‍👧{}", "你".repeat(100)));
    viewer
        .state
        .take(person("bobs", &"你".repeat(200), Presence::Typing));
    for line in viewer.screen() {
        assert!(line.width() <= 40, "{line}");
    }
}

#[test]
fn no_screen_is_too_small_and_none_is_drawn_beyond() {
    let mut viewer = Viewer::new(80, 24);
    for number in 0..50 {
        viewer.hear(
            number,
            "a text of some words, 你好, that is longer than most screens are wide",
        );
    }
    viewer.state.take(person("bobs", "Bob", Presence::Typing));
    viewer.write("你好 and what is typed");
    for height in 0..8 {
        for width in [0, 1, 2, 3, 5, 7, 13, 24, 63, 64, 65, 200] {
            viewer.resize(width, height);
            viewer.screen();
            viewer.key(KeyCode::PageUp);
            viewer.screen();
            viewer.key(KeyCode::PageDown);
        }
    }
    viewer.resize(80, 24);
    assert!(viewer.has("> 你好 and what is typed"));
}

#[test]
fn nothing_is_said_before_one_is_let_in_and_it_is_not_lost() {
    let mut viewer = Viewer::new(60, 10);
    viewer.state.joined = false;
    assert_eq!(viewer.enter("hello"), None);
    assert!(viewer.has("> hello") && viewer.has("has not let you in yet"));
    let title = Some("crew".to_owned());
    viewer.state.take(Record::Joined { title });
    assert!(viewer.has("crew · you are Me"));
    assert_eq!(viewer.key(KeyCode::Enter), say("hello"));
}

#[test]
fn an_invite_is_a_page_of_its_own_in_one_line() {
    let mut viewer = Viewer::new(30, 10);
    let uri = format!("link://h/?inv={}", "a".repeat(100));
    viewer.state.take(Record::Ready {
        hashname: "mine".into(),
        link: serde_json::Value::Null,
        uri: String::new(),
        invite: Some(uri.clone()),
        qr: None,
    });
    let line = format!("mesh chat '{uri}'");
    assert!(
        viewer
            .state
            .page()
            .unwrap()
            .lines()
            .any(|shown| shown == line)
    );
    viewer.write("x");
    assert_eq!(viewer.state.page(), None);
    assert_eq!(viewer.screen()[9], ">");
}

#[test]
fn others_hear_what_we_do_but_not_of_commands() {
    let mut viewer = Viewer::new(60, 10);
    assert_eq!(viewer.state.doing(), Doing::Looking);
    viewer.write("/wh");
    assert_eq!(viewer.state.doing(), Doing::Looking);
    viewer.key(KeyCode::Esc);
    viewer.write("hi");
    assert_eq!(viewer.state.doing(), Doing::Typing);
    let _ = typed(&mut viewer.state, &Event::FocusLost);
    assert_eq!(viewer.state.doing(), Doing::Away);
    viewer.write("!");
    assert_eq!(viewer.state.doing(), Doing::Typing);
}

#[test]
fn what_is_typed_is_no_longer_than_a_text_may_be() {
    let mut viewer = Viewer::new(60, 10);
    let _ = typed(&mut viewer.state, &Event::Paste("ü".repeat(MAX_TEXT)));
    viewer.write("x");
    assert_eq!(viewer.state.editor.value().len(), MAX_TEXT);
}

#[test]
fn beyond_the_limit_the_oldest_cannot_be_scrolled_back_to() {
    let mut viewer = Viewer::new(60, 10);
    let text = "x".repeat(MAX_SCROLLBACK / 8);
    for number in 0..20 {
        viewer.hear(number, &text);
    }
    assert!(viewer.state.weight <= MAX_SCROLLBACK);
    let weight: usize = viewer.state.items.iter().map(Item::weight).sum();
    assert_eq!(weight, viewer.state.weight);
    assert_eq!(viewer.state.items.len(), 7);
}
