//! What is wanted before we are let in.

use std::collections::VecDeque;

use crate::chat::Input;

/// Limit: what is wanted before we are let in. At the limit whoever types waits.
const MAX_HELD: usize = 256;

/// Held until we are let in, in order.
#[derive(Debug, Default)]
pub(super) struct Held(VecDeque<Input>);

impl Held {
    pub(super) fn push(&mut self, input: Input) {
        self.0.push_back(input);
    }

    pub(super) fn next(&mut self) -> Option<Input> {
        self.0.pop_front()
    }

    /// Nothing more is to be taken.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_HELD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_before_we_are_let_in_is_held_up_to_the_limit_and_in_order() {
        let say = |number: usize| Input::Say(number.to_string());
        let mut held = Held::default();
        for number in 0..MAX_HELD {
            assert!(!held.is_full());
            held.push(say(number));
        }
        assert!(held.is_full());
        assert_eq!(held.next(), Some(say(0)));
        assert!(!held.is_full());
        assert_eq!(held.next(), Some(say(1)));
    }
}
