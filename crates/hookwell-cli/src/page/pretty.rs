//! JSON with a line for every value, and otherwise as its sender wrote it: the order of keys, doubled keys and every
//! digit of a number stay.

use serde::de::IgnoredAny;

/// Sets out a text; `None` when it is not JSON.
pub(super) fn pretty(text: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut shown = String::with_capacity(text.len().saturating_mul(2));
    let mut depth = 0_usize;
    let mut is_string = false;
    let mut is_escaped = false;
    let mut rest = text.chars().peekable();
    while let Some(one) = rest.next() {
        if is_string {
            shown.push(one);
            is_string = one != '"' || is_escaped;
            is_escaped = one == '\\' && !is_escaped;
            continue;
        }
        match one {
            '{' | '[' => {
                shown.push(one);
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    shown.push(end);
                } else {
                    depth = depth.saturating_add(1);
                    new_line(&mut shown, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut shown, depth);
                shown.push(one);
            }
            ',' => {
                shown.push(one);
                new_line(&mut shown, depth);
            }
            ':' => shown.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            other => {
                is_string = other == '"';
                shown.push(other);
            }
        }
    }
    Some(shown)
}

fn new_line(shown: &mut String, depth: usize) {
    shown.push('\n');
    shown.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::pretty;

    #[test]
    fn nothing_but_white_space_changes() {
        let text = r#" {"b":1.10,"a":[ ],"b":123456789012345678901234567890,"s":"{\"x\": [1,2]}\\","l":[{},{"k":null}]}"#;
        let expected = r#"{
  "b": 1.10,
  "a": [],
  "b": 123456789012345678901234567890,
  "s": "{\"x\": [1,2]}\\",
  "l": [
    {},
    {
      "k": null
    }
  ]
}"#;
        assert_eq!(pretty(text).as_deref(), Some(expected));
        assert_eq!(pretty(expected).as_deref(), Some(expected));
        for other in ["", "a=1", "{", "{} {}"] {
            assert_eq!(pretty(other), None, "{other}");
        }
    }
}
