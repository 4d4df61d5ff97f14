//! The rules of twenty schemes, written down again from the providers' documents: by `ring`, with its own parsing and
//! its own hex and base64. Nothing of the library is used.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use ring::hmac;

/// A request, headers in the order they came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Code {
    Hex,
    Base64,
    Base64Url,
}

#[derive(Clone, Copy)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

/// Place of the signed time, with the seconds that it may lie in the past and in the future.
#[derive(Clone, Copy)]
pub(crate) enum Time {
    None,
    Header(&'static str, i64, i64),
    Tag(&'static str, i64, i64),
}

/// Signature scheme of one preset, written down a second time.
pub(crate) struct Case {
    pub(crate) preset: &'static str,
    pub(crate) secrets: [&'static str; 2],
    header: &'static str,
    /// Separator of a list, separator of tag and value, tag.
    list: (Option<char>, Option<(char, &'static str)>),
    code: Code,
    hash: Hash,
    time: Time,
    /// `i` the id header, `t` the time, `b` the body, `u` the address, `m` the method, others themselves.
    content: &'static str,
    id: Option<&'static str>,
    key: fn(&str) -> Vec<u8>,
}

const THIRD: &str = "whsec_dGhpcmQgc2VjcmV0IHRoYXQgaXMgbm90IHlvdXJzISE=";
const TEXT: [&str; 2] = ["first-secret-of-this-test", "second-secret-of-this-test"];
const WHSEC: [&str; 2] = [
    "whsec_Zmlyc3Qgc2VjcmV0IG9mIHRoaXMgdGVzdCEh",
    "whsec_c2Vjb25kIHNlY3JldCBvZiB0aGlzIHRlc3Qh",
];
const BASE64: [&str; 2] = [
    "Zmlyc3Qgc2VjcmV0IG9mIHRoaXMgdGVzdCEh",
    "c2Vjb25kIHNlY3JldCBvZiB0aGlzIHRlc3Qh",
];

fn utf8(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn whsec(text: &str) -> Vec<u8> {
    decode(Code::Base64, text.trim_start_matches("whsec_").as_bytes()).unwrap()
}

const PLAIN: Case = Case {
    preset: "",
    secrets: TEXT,
    header: "",
    list: (None, None),
    code: Code::Hex,
    hash: Hash::Sha256,
    time: Time::None,
    content: "b",
    id: None,
    key: utf8,
};

const fn tagged(preset: &'static str, header: &'static str, tag: &'static str) -> Case {
    Case {
        preset,
        header,
        list: (None, Some(('=', tag))),
        ..PLAIN
    }
}

const fn listed(preset: &'static str, header: &'static str, tag: &'static str) -> Case {
    Case {
        preset,
        header,
        list: (Some(','), Some(('=', tag))),
        ..PLAIN
    }
}

pub(crate) static CASES: [Case; 20] = [
    Case {
        preset: "resource",
        header: "x-webhook-signature",
        ..PLAIN
    },
    Case {
        preset: "generic",
        header: "x-signature",
        ..PLAIN
    },
    tagged("github", "x-hub-signature-256", "sha256"),
    Case {
        hash: Hash::Sha1,
        ..tagged("github-sha1", "x-hub-signature", "sha1")
    },
    Case {
        hash: Hash::Sha1,
        ..tagged("intercom", "x-hub-signature", "sha1")
    },
    Case {
        code: Code::Base64,
        ..tagged("typeform", "typeform-signature", "sha256")
    },
    Case {
        preset: "shopify",
        header: "x-shopify-hmac-sha256",
        code: Code::Base64,
        ..PLAIN
    },
    Case {
        preset: "vercel",
        header: "x-vercel-signature",
        hash: Hash::Sha1,
        ..PLAIN
    },
    listed("pagerduty", "x-pagerduty-signature", "v1"),
    listed("circleci", "circleci-signature", "v1"),
    Case {
        secrets: BASE64,
        key: whsec,
        ..tagged("airtable", "x-airtable-content-mac", "hmac-sha256")
    },
    Case {
        time: Time::Tag("t", 1000, 300),
        content: "t.b",
        ..listed("stripe", "stripe-signature", "v1")
    },
    Case {
        list: (Some(';'), Some(('=', "h1"))),
        time: Time::Tag("ts", 1000, 5),
        content: "t:b",
        ..listed("paddle", "paddle-signature", "h1")
    },
    Case {
        time: Time::Tag("t", 1, 180),
        content: "t.b",
        ..listed("workos", "workos-signature", "v1")
    },
    Case {
        code: Code::Base64Url,
        time: Time::Tag("t", 1, 300),
        content: "t.b",
        ..listed("sanity", "sanity-webhook-signature", "v1")
    },
    Case {
        time: Time::Tag("v", 1, 300),
        content: "bt",
        ..listed("retell", "x-retell-signature", "d")
    },
    Case {
        time: Time::Header("x-slack-request-timestamp", 1000, 300),
        content: "v0:t:b",
        ..tagged("slack", "x-slack-signature", "v0")
    },
    Case {
        preset: "standard-webhooks",
        secrets: WHSEC,
        header: "webhook-signature",
        list: (Some(' '), Some((',', "v1"))),
        code: Code::Base64,
        time: Time::Header("webhook-timestamp", 1000, 300),
        content: "i.t.b",
        id: Some("webhook-id"),
        key: whsec,
        ..PLAIN
    },
    Case {
        preset: "square",
        header: "x-square-hmacsha256-signature",
        code: Code::Base64,
        content: "ub",
        ..PLAIN
    },
    Case {
        preset: "hubspot-v3",
        header: "x-hubspot-signature-v3",
        code: Code::Base64,
        time: Time::Header("x-hubspot-request-timestamp", 1, 300),
        content: "mubt",
        ..PLAIN
    },
];

impl Request {
    /// All values of a header, joined as the platform does; `None` when there is none, or one is not text.
    fn header(&self, wanted: &str) -> Option<String> {
        let mut values = Vec::new();
        for (name, value) in &self.headers {
            if name.eq_ignore_ascii_case(wanted) {
                let is_text = value
                    .iter()
                    .all(|byte| (32..127).contains(byte) || *byte == b'\t');
                values.push(is_text.then(|| String::from_utf8(value.clone()).unwrap()));
            }
        }
        let values: Option<Vec<String>> = values.into_iter().collect();
        values
            .filter(|values| !values.is_empty())
            .map(|values| values.join(","))
    }
}

impl Case {
    /// True when a receiver must accept the request.
    pub(crate) fn accepts(&self, request: &Request, url: &str, now: i64) -> bool {
        self.judge(request, url, now) == Some(true)
    }

    fn judge(&self, request: &Request, url: &str, now: i64) -> Option<bool> {
        let line = request.header(self.header)?;
        let items: Vec<&str> = match self.list.0 {
            Some(separator) => line.split(separator).map(str::trim).collect(),
            None => vec![line.trim()],
        };
        let mut signatures = Vec::new();
        let mut tagged_times = Vec::new();
        for item in items {
            match self.list.1 {
                None => signatures.push(item),
                Some((kv, tag)) => {
                    let Some(cut) = item.find(kv) else { continue };
                    let (name, value) = (&item[..cut], &item[cut + 1..]);
                    if name == tag {
                        signatures.push(value);
                    } else if matches!(self.time, Time::Tag(time, ..) if time == name) {
                        tagged_times.push(value);
                    }
                }
            }
        }
        if signatures.len() > 16 {
            return None;
        }
        let (time, unit, tolerance) = match self.time {
            Time::None => (None, 1, 0),
            Time::Header(name, unit, tolerance) => (Some(request.header(name)?), unit, tolerance),
            Time::Tag(_, unit, tolerance) => match tagged_times[..] {
                [one] => (Some(one.to_owned()), unit, tolerance),
                _ => return None,
            },
        };
        if let Some(time) = &time {
            if !time.bytes().all(|byte| byte.is_ascii_digit())
                || (time.len() > 1 && time.starts_with('0'))
            {
                return None;
            }
            let at = i128::from(time.parse::<i64>().ok()?) * i128::from(unit);
            if (i128::from(now) - at).abs() > i128::from(tolerance) * 1000 {
                return None;
            }
        }
        let content = self.content(request, url, time.as_deref())?;
        let fits = |signature: &&str| {
            decode(self.code, signature.as_bytes()).is_some_and(|tag| {
                let verify =
                    |secret: &&str| hmac::verify(&self.mac(secret), &content, &tag).is_ok();
                self.secrets.iter().any(verify)
            })
        };
        Some(signatures.iter().any(fits))
    }

    fn mac(&self, secret: &str) -> hmac::Key {
        let algorithm = match self.hash {
            Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => hmac::HMAC_SHA256,
        };
        hmac::Key::new(algorithm, &(self.key)(secret))
    }

    fn content(&self, request: &Request, url: &str, time: Option<&str>) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        // "v0" is the only word; its letters stand for nothing else.
        for letter in self.content.chars() {
            match letter {
                'i' => content.extend(request.header(self.id?)?.bytes()),
                't' => content.extend(time?.bytes()),
                'b' => content.extend(&request.body),
                'u' => content.extend(url.bytes()),
                'm' => content.extend(b"POST"),
                other => content.extend(other.to_string().bytes()),
            }
        }
        Some(content)
    }

    /// The headers of a valid request with this body, by the first, the second or a foreign secret.
    pub(crate) fn resigned(
        &self,
        request: &Request,
        url: &str,
        now: i64,
        secret: usize,
    ) -> Vec<(String, Vec<u8>)> {
        let mut request = request.clone();
        request.headers.clear();
        let mut headers = Vec::new();
        if let Some(id) = self.id {
            headers.push((id.to_owned(), b"msg_other".to_vec()));
        }
        let time = match self.time {
            Time::None => None,
            Time::Header(_, unit, _) | Time::Tag(_, unit, _) => Some((now / unit).to_string()),
        };
        if let (Time::Header(name, ..), Some(time)) = (self.time, &time) {
            headers.push((name.to_owned(), time.clone().into_bytes()));
        }
        request.headers.clone_from(&headers);
        let content = self.content(&request, url, time.as_deref()).unwrap();
        let secret = self.secrets.get(secret).copied().unwrap_or(THIRD);
        let tag = hmac::sign(&self.mac(secret), &content);
        let mut value = encode(self.code, tag.as_ref());
        if let Some((kv, tag)) = self.list.1 {
            value = format!("{tag}{kv}{value}");
        }
        if let (Time::Tag(tag, ..), Some(time), Some(separator)) = (self.time, &time, self.list.0) {
            value = format!("{tag}={time}{separator}{value}");
        }
        headers.push((self.header.to_owned(), value.into_bytes()));
        headers
    }
}

fn alphabet(code: Code) -> &'static [u8] {
    match code {
        Code::Hex => b"0123456789abcdef",
        Code::Base64 => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        Code::Base64Url => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    }
}

fn encode(code: Code, bytes: &[u8]) -> String {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let width = if code == Code::Hex { 4 } else { 6 };
    let digit = |bits: &[u8]| {
        let value = (0..width).fold(0, |value, at| {
            value << 1 | usize::from(*bits.get(at).unwrap_or(&0))
        });
        char::from(alphabet(code)[value])
    };
    let mut text: String = bits.chunks(width).map(digit).collect();
    while code == Code::Base64 && !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Decodes, and takes only what encoding would give back; hex digits in either case.
fn decode(code: Code, text: &[u8]) -> Option<Vec<u8>> {
    let text = match code {
        Code::Hex => text.to_ascii_lowercase(),
        Code::Base64 | Code::Base64Url => text.to_vec(),
    };
    let width = if code == Code::Hex { 4 } else { 6 };
    let mut bits = Vec::new();
    for letter in text.iter().take_while(|letter| **letter != b'=') {
        let value = alphabet(code).iter().position(|known| known == letter)?;
        bits.extend((0..width).rev().map(|bit| value >> bit & 1));
    }
    let bytes: Vec<u8> = bits
        .chunks_exact(8)
        .map(|bits| {
            bits.iter()
                .fold(0_u8, |byte, bit| byte << 1 | u8::try_from(*bit).unwrap())
        })
        .collect();
    (encode(code, &bytes).as_bytes() == text).then_some(bytes)
}
