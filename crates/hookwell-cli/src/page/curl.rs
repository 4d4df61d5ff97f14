//! A request as a curl command for a shell. A stranger wrote the request, so nothing in it may act on the shell or on
//! the terminal that the command is pasted into.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest body that stands in the command as it is, in bytes: Linux takes 128 KiB as one argument.
const MAX_ARGUMENT: usize = 100 * 1024;

/// Headers that curl itself makes for its own connection.
const OF_A_CONNECTION: [&str; 9] = [
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "expect",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
];

/// The command that sends this request.
pub(super) fn command(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> String {
    let mut options = vec![format!("curl -i {}", quoted(url))];
    if url.contains(['[', ']', '{', '}']) {
        options.push("--globoff".to_owned());
    }
    if url.contains("/.") {
        options.push("--path-as-is".to_owned());
    }
    match method {
        "POST" => {}
        "HEAD" => options.push("--head".to_owned()),
        other => options.push(format!("-X {}", quoted(other))),
    }
    let own = headers
        .iter()
        .filter(|(name, _)| !OF_A_CONNECTION.contains(&&**name));
    for (name, value) in own {
        // A name with a colon and no value tells curl to leave the header out, so an empty value needs another form.
        let header = match value.as_str() {
            "" => format!("{name};"),
            value => format!("{name}: {value}"),
        };
        options.push(format!("-H {}", quoted(&header)));
    }
    let has_body = method == "POST" || !body.is_empty();
    if has_body && !headers.iter().any(|(name, _)| name == "content-type") {
        options.push("-H 'content-type:'".to_owned());
    }
    let mut input = String::new();
    match std::str::from_utf8(body) {
        _ if !has_body => {}
        // Not --data-binary, which reads a file where the body begins with @.
        Ok(text) if is_plain(text) => options.push(format!("--data-raw {}", quoted(text))),
        _ => {
            input = format!("printf %s '{}' | base64 --decode | ", STANDARD.encode(body));
            options.push("--data-binary @-".to_owned());
        }
    }
    format!("{input}{}\n", options.join(" \\\n  "))
}

/// True for a text that may stand in the command: a terminal acts on control characters in what is pasted.
fn is_plain(text: &str) -> bool {
    text.len() <= MAX_ARGUMENT && !text.chars().any(|one| one.is_control() && one != '\n')
}

/// A text as one word of a command, for sh, bash, zsh and fish. Backslashes stand outside of the quotes, since fish
/// reads them inside. Control characters become spaces.
fn quoted(text: &str) -> String {
    let mut word = String::with_capacity(text.len().saturating_add(2));
    word.push('\'');
    for one in text.chars() {
        match one {
            '\'' => word.push_str(r"'\''"),
            '\\' => word.push_str(r"'\\'"),
            '\n' => word.push('\n'),
            control if control.is_control() => word.push(' '),
            other => word.push(other),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    const URL: &str = "http://127.0.0.1:9000/webhooks/plain";

    /// Arguments and input that curl gets when a shell runs the command.
    fn run(command: &str) -> (Vec<String>, Vec<u8>) {
        let script = format!(
            "curl() {{ printf '%s\\0' \"$#\" \"$@\"; case \"$*\" in *@-) cat;; esac; }}\n{command}"
        );
        // By its input, as from a terminal: an argument would have a limit that a pasted line has not.
        let mut shell = Command::new("sh");
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.stderr(Stdio::piped()).spawn().unwrap();
        let mut input = shell.stdin.take().unwrap();
        let writing = std::thread::spawn(move || input.write_all(script.as_bytes()));
        let output = shell.wait_with_output().unwrap();
        writing.join().unwrap().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        let mut rest = output.stdout.as_slice();
        let mut next = || {
            let end = rest.iter().position(|byte| *byte == 0).unwrap();
            let (text, after) = rest.split_at(end);
            rest = after.get(1..).unwrap();
            String::from_utf8(text.to_vec()).unwrap()
        };
        let count: usize = next().parse().unwrap();
        let arguments = (0..count).map(|_| next()).collect();
        (arguments, rest.to_vec())
    }

    fn post(headers: &[(&str, &str)], body: &[u8]) -> String {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        command("POST", URL, &headers.collect::<Vec<_>>(), body)
    }

    #[test]
    fn a_shell_gives_curl_what_the_sender_wrote_and_does_nothing_else() {
        for text in [
            "{\"a\":1}",
            "'; touch owned; '",
            r"\'; touch owned; \'",
            r"ends with \",
            "$(id) `id` ${HOME} !! ~ * ? # & | > <",
            "@/etc/passwd",
            "--next",
            "two\nlines\n",
            "",
            "Größe “é” 漢字",
        ] {
            let command = post(
                &[("content-type", text), ("x-own'", "it's")],
                text.as_bytes(),
            );
            let (arguments, input) = run(&command);
            let content_type = match text {
                "" => "content-type;".to_owned(),
                text => format!("content-type: {text}"),
            };
            let expected = [
                "-i",
                URL,
                "-H",
                &content_type,
                "-H",
                "x-own': it's",
                "--data-raw",
                text,
            ];
            assert_eq!(arguments, expected, "{command}");
            assert!(input.is_empty(), "{command}");
        }
    }

    /// Enter, Ctrl-C or the end of a bracketed paste, in a body, would run the rest of it.
    #[test]
    fn no_control_character_reaches_the_terminal() {
        for bytes in [
            "\r\nid\r\n",
            "\u{3}\nid\n",
            "\u{1b}[201~\nid\n",
            "\u{9b}201~",
            "a\tb",
            "\0",
        ] {
            let command = post(&[("content-type", bytes)], bytes.as_bytes());
            let is_clean = |one: char| one == '\n' || !one.is_control();
            assert!(command.chars().all(is_clean), "{command:?}");
            let (arguments, input) = run(&command);
            assert_eq!(arguments.last().map(String::as_str), Some("@-"));
            assert_eq!(input, bytes.as_bytes());
        }
    }

    #[test]
    fn a_body_that_is_no_text_or_too_long_for_an_argument_arrives_whole() {
        for body in [vec![0xff, 0, 1, 0xc3], vec![b'a'; MAX_ARGUMENT + 1]] {
            let (arguments, input) = run(&post(&[], &body));
            assert_eq!(
                arguments,
                ["-i", URL, "-H", "content-type:", "--data-binary", "@-"]
            );
            assert_eq!(input, body);
        }
    }

    #[test]
    fn another_method_and_an_odd_address_are_as_they_were() {
        let url = "http://127.0.0.1:9000/webhooks/../a?b[]={1,2}";
        let headers = [
            ("host".to_owned(), "elsewhere".to_owned()),
            ("content-length".to_owned(), "9".to_owned()),
        ];
        let (arguments, _) = run(&command("PUT", url, &headers, b""));
        assert_eq!(
            arguments,
            ["-i", url, "--globoff", "--path-as-is", "-X", "PUT"]
        );
        let (arguments, _) = run(&command("HEAD", URL, &[], b""));
        assert_eq!(arguments, ["-i", URL, "--head"]);
    }
}
