//! What a stranger makes of captured deliveries.

use serde_json::Value;

use crate::choices::Choices;
use crate::request::{Request, pairs};
use crate::world::{Captured, World};

/// A request, and when it comes.
#[derive(Debug)]
pub(crate) struct Mutant {
    pub(crate) request: Request,
    pub(crate) now: i64,
}

const ODD: [&str; 24] = [
    "",
    " ",
    ",",
    ";",
    "=",
    ".",
    ":",
    "|",
    "&",
    "\n",
    "\0",
    "\u{feff}",
    "v1=",
    "t=0",
    "sha256=",
    "v1,",
    "A",
    "0",
    "%",
    "\t",
    "\u{663}",
    "\u{ff11}",
    "99999999999999999999",
    "00",
];

const LABELS: [&str; 9] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16",
    "multipart/form-data; boundary=x",
    "text/plain",
    "APPLICATION/JSON",
    "application/octet-stream",
    "nonsense",
    "",
];

const CODINGS: [&str; 8] = [
    "gzip",
    "identity",
    "br",
    "utf-8",
    "identity, GZIP",
    "x-gzip",
    "",
    "zstd",
];

const METHODS: [&str; 8] = [
    "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "QUERY",
];

/// Members that a stranger would like to add to a body.
const MEMBERS: [&str; 8] = [
    r#""id":"evil","#,
    r#""type":"resource.deleted","#,
    r#""Message":"evil","#,
    r#""MessageId":"evil","#,
    r#""eventCode":"REFUND","#,
    r#""data":{"object":{"id":"evil"}},"#,
    r#""payload":"{}","#,
    r#""\u0069d":"evil","#,
];

const HEADERS: [(&str, &str); 8] = [
    ("x-http-method-override", "DELETE"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-original-url", "/webhooks/plain"),
    (
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ),
    ("x-hook-secret", "mine"),
    ("x-amz-sns-message-type", "SubscriptionConfirmation"),
    ("transfer-encoding", "chunked"),
    ("content-length", "7"),
];

const QUERIES: [&str; 7] = [
    "a=1",
    "data.id=9",
    "validationToken=x",
    "type=payment",
    "%",
    "a=%00&a=2",
    "topic=%D9%A3",
];

/// One to four changes to a captured delivery.
pub(crate) fn mutant(world: &World, choices: &mut Choices<'_>) -> Mutant {
    let captured = choices.of(&world.captured);
    let mut mutant = Mutant {
        request: captured.request.clone(),
        now: captured.at,
    };
    // One whose signature does not fit its preset is as good as any other here.
    if choices.once_in(40) && !world.foreign.is_empty() {
        mutant.request = choices.of(&world.foreign).clone();
    }
    for _ in 0..=choices.below(4) {
        change(world, captured, &mut mutant, choices);
    }
    mutant
}

fn change(world: &World, captured: &Captured, mutant: &mut Mutant, choices: &mut Choices<'_>) {
    let siblings = world.of_preset(&captured.preset);
    let sibling = *choices.of(&siblings);
    let stranger = choices.of(&world.captured);
    let request = &mut mutant.request;
    match choices.below(22) {
        0 => bytes(&mut request.body, choices),
        1 => splice(&mut request.body, &sibling.request.body, choices),
        2 => request.body.clone_from(&sibling.request.body),
        3 => rewrite(&mut request.body, choices),
        4 => label(&mut request.headers, "content-type", &LABELS, choices),
        5 => label(&mut request.headers, "content-encoding", &CODINGS, choices),
        6..=8 => header(&mut request.headers, &sibling.request.headers, choices),
        9 | 10 => header(&mut request.headers, &stranger.request.headers, choices),
        11 => request.headers.clone_from(&sibling.request.headers),
        12 => {
            let (name, value) = choices.of(&HEADERS);
            let more = ((*name).to_owned(), value.as_bytes().to_vec());
            let at = choices.below(request.headers.len() + 1);
            request.headers.insert(at, more);
        }
        13 => query(&mut request.query, &sibling.request.query, choices),
        14 => path(request, &stranger.request.path, choices),
        15 if choices.once_in(3) => request.method = (*choices.of(&METHODS)).to_owned(),
        16 if choices.once_in(3) => {
            let addresses = ["198.51.100.1", "203.0.113.8", "2001:db8::1"];
            request.address = choices.of(&addresses).parse().unwrap();
        }
        17 | 18 => {
            let scale = *choices.of(&[1_000, 60_000, 3_600_000, 86_400_000]);
            let steps = i64::try_from(choices.below(200)).unwrap() - 100;
            mutant.now = captured.at + steps * scale;
        }
        19 if !world.foreign.is_empty() => {
            let foreign = choices.of(&world.foreign);
            if choices.once_in(2) {
                request.headers.clone_from(&foreign.headers);
            } else {
                header(&mut request.headers, &foreign.headers, choices);
            }
        }
        _ => {} // it stays as it is
    }
}

fn bytes(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let at = choices.below(bytes.len() + 1);
    match choices.below(9) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << choices.below(8),
        2 if at < bytes.len() => bytes[at] = u8::try_from(choices.below(256)).unwrap(),
        3 => bytes.truncate(at),
        4 if at < bytes.len() => {
            bytes.remove(at);
        }
        5 => bytes.make_ascii_uppercase(),
        6 => {
            let copy = bytes.clone();
            bytes.push(*choices.of(b",& \n;"));
            bytes.extend(copy);
        }
        7 => bytes.extend(choices.of(&ODD).bytes()),
        _ => {
            let odd = choices.of(&ODD).bytes();
            bytes.splice(at..at, odd);
        }
    }
}

/// The beginning of one and the end of another.
fn splice(bytes: &mut Vec<u8>, other: &[u8], choices: &mut Choices<'_>) {
    let (from, to) = (
        choices.below(bytes.len() + 1),
        choices.below(other.len() + 1),
    );
    bytes.truncate(from);
    bytes.extend(&other[to..]);
}

/// The same body in another spelling, or nearly.
fn rewrite(body: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let text = String::from_utf8_lossy(body).into_owned();
    let json: Option<Value> = serde_json::from_str(&text).ok();
    let new = match (choices.below(14), json) {
        (0, Some(json)) => json.to_string(),
        (1, Some(json)) => serde_json::to_string_pretty(&json).unwrap(),
        // As a form, whole and by its members.
        (2, Some(json)) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("payload", &json.to_string()).finish()
        }
        (3, Some(Value::Object(members))) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            let texts = members
                .iter()
                .filter_map(|(name, value)| Some((name, value.as_str()?)));
            form.extend_pairs(texts).finish()
        }
        (4 | 5, Some(_)) => {
            // Before or behind what is there.
            let member = choices.of(&MEMBERS);
            if choices.once_in(2) {
                text.replacen('{', &format!("{{{member}"), choices.below(3) + 1)
            } else {
                let end = text.rfind('}').unwrap_or(text.len());
                let member = member.trim_end_matches(',');
                format!("{},{member}{}", &text[..end], &text[end..])
            }
        }
        (6, Some(_)) => format!("[{text}]"),
        (7, Some(_)) => escaped(&text, choices),
        (8, Some(_)) => text.replace(':', ": ").replace(',', " ,\n"),
        // As an object of its fields, or as a form in another order, in other escapes, or with other borders.
        (9, None) => {
            let fields = pairs(body).into_iter();
            let fields = fields.map(|(name, value)| (name, Value::from(value)));
            Value::Object(fields.collect()).to_string()
        }
        (10, None) => {
            let mut parts: Vec<_> = text.split('&').collect();
            let (one, other) = (choices.below(parts.len()), choices.below(parts.len()));
            parts.swap(one, other);
            if choices.once_in(3) {
                parts.push(parts[one]);
            }
            parts.join("&")
        }
        (11 | 12, None) => {
            let at = choices.below(text.len() + 1);
            let sign = *choices.of(&["=", "&", "", "%3D", "+"]);
            let mut letters: Vec<char> = text.chars().collect();
            let at = at.min(letters.len());
            if choices.once_in(2) {
                letters.retain(|letter| *letter != '&');
            }
            let (before, after) = letters.split_at(at.min(letters.len()));
            let after = after.strip_prefix(&['=']).unwrap_or(after);
            format!("{}{sign}{}", text_of(before), text_of(after))
        }
        _ => return bytes(body, choices),
    };
    *body = new.into_bytes();
}

fn text_of(letters: &[char]) -> String {
    letters.iter().collect()
}

/// One letter or digit in a string as an escape.
fn escaped(text: &str, choices: &mut Choices<'_>) -> String {
    let letters: Vec<(usize, char)> = text
        .char_indices()
        .filter(|(_, letter)| letter.is_ascii_alphabetic())
        .collect();
    if letters.is_empty() {
        return text.to_owned();
    }
    let (at, letter) = *choices.of(&letters);
    let code = u32::from(letter);
    format!("{}\\u{code:04x}{}", &text[..at], &text[at + 1..])
}

fn label(
    headers: &mut Vec<(String, Vec<u8>)>,
    name: &str,
    values: &[&str],
    choices: &mut Choices<'_>,
) {
    if choices.once_in(2) {
        headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    }
    if !choices.once_in(4) {
        headers.push((name.to_owned(), choices.of(values).as_bytes().to_vec()));
    }
}

fn header(
    headers: &mut Vec<(String, Vec<u8>)>,
    others: &[(String, Vec<u8>)],
    choices: &mut Choices<'_>,
) {
    if headers.is_empty() || others.is_empty() {
        return;
    }
    let at = choices.below(headers.len());
    let other = choices.of(others).clone();
    match choices.below(13) {
        0 | 1 => bytes(&mut headers[at].1, choices),
        2 => {
            headers.remove(at);
        }
        3 => headers[at].0 = headers[at].0.to_ascii_uppercase(),
        4 => {
            let mut twice = headers[at].clone();
            bytes(&mut twice.1, choices);
            headers.push(twice);
        }
        5 => headers.push(headers[at].clone()),
        6 => headers[at].1 = other.1,
        7 => headers.push(other),
        8 => {
            // A list of both, in either order.
            let separator = *choices.of(&[",", ", ", " ", ";", ",,"]);
            let both = [headers[at].1.clone(), other.1];
            let (first, second) = if choices.once_in(2) { (0, 1) } else { (1, 0) };
            headers[at].1 = [&both[first], separator.as_bytes(), &both[second]].concat();
        }
        9 => {
            let name = headers[at].0.clone();
            let same = others
                .iter()
                .find(|(other, _)| other.eq_ignore_ascii_case(&name));
            if let Some((_, value)) = same {
                headers[at].1.clone_from(value);
            }
        }
        10 => headers.rotate_left(at),
        11 => {
            let padded = [b" ", headers[at].1.as_slice(), b"\t"].concat();
            headers[at].1 = padded;
        }
        _ => {
            // Done twice, 400 times are more than HTTP allows.
            let times = *choices.of(&[2, 16, 17, 400]);
            let times = if headers[at].1.len() < 1_000 {
                times
            } else {
                2
            };
            headers[at].1 = vec![headers[at].1.clone(); times].join(&b","[..]);
        }
    }
}

fn query(query: &mut String, other: &str, choices: &mut Choices<'_>) {
    let mut parts: Vec<&str> = query.split('&').filter(|part| !part.is_empty()).collect();
    let more = *choices.of(&QUERIES);
    match choices.below(8) {
        0 => parts.push(more),
        1 => parts.insert(0, more),
        2 => parts.reverse(),
        3 => parts.extend(parts.clone()),
        4 => parts.clear(),
        5 => parts = other.split('&').collect(),
        6 => {
            *query = query.replacen('a', "%61", 1);
            return;
        }
        _ => {
            query.push('&');
            return;
        }
    }
    *query = parts.join("&");
}

fn path(request: &mut Request, other: &str, choices: &mut Choices<'_>) {
    request.path = match choices.below(8) {
        0 => format!("{}/", request.path),
        1 => format!("/prod{}", request.path),
        2 => format!("/a/b/webhooks{}", request.path),
        3 => format!("{}//", request.path),
        4 => request.path.to_ascii_uppercase(),
        5 => request.path.replacen("webhooks/", "webhooks/%2e/", 1),
        6 => "/".to_owned(),
        _ => other.to_owned(),
    };
}
