//! How seventy-eight senders sign, written down again from the providers' documents. Nothing of the library is used.

use crate::json::Node;
use crate::request::{Request, pairs};

/// The address that every source has.
pub(crate) const URL: &str = "https://hooks.example.com/webhooks/";

/// The topic that may send.
pub(crate) const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";

/// Presets, headers, list and tag, encoding, time with its tolerance in seconds, what is signed.
///
/// In the content: `b` the body, `t` the time, `u` the address with its query, `U` the same with some escapes decoded, `m`
/// the method, others a header.
const RECIPES: &str = "
standard-webhooks openai anthropic supabase-auth-hook replicate polar gitlab-signing-token | webhook-signature | _ v1, | base64 | webhook-timestamp s 300 300 | {webhook-id}.{t}.{b}
standard-webhooks-v1a | webhook-signature | _ v1a, | base64 | webhook-timestamp s 300 300 | {webhook-id}.{t}.{b}
svix clerk resend | svix-signature webhook-signature | _ v1, | base64 | svix-timestamp,webhook-timestamp s 300 300 | {svix-id,webhook-id}.{t}.{b}
github meta | x-hub-signature-256 | - sha256= | hex | - | {b}
github-sha1 intercom | x-hub-signature | - sha1= | hex | - | {b}
bitbucket | x-hub-signature | - sha256= | hex | - | {b}
notion | x-notion-signature | - sha256= | hex | - | {b}
typeform | typeform-signature | - sha256= | base64 | - | {b}
airtable | x-airtable-content-mac | - hmac-sha256= | hex | - | {b}
shopify | x-shopify-hmac-sha256 shopify-hmac-sha256 | - - | base64 | - | {b}
woocommerce | x-wc-webhook-signature | - - | base64 | - | {b}
lemonsqueezy generic | x-signature | - - | hex | - | {b}
dropbox | x-dropbox-signature | - - | hex | - | {b}
asana | x-hook-signature | - - | hex | - | {b}
xero | x-xero-signature | - - | base64 | - | {b}
quickbooks | intuit-signature | - - | base64 | - | {b}
vercel | x-vercel-signature | - - | hex | - | {b}
sentry | sentry-hook-signature sentry-app-signature | - - | hex | - | {b}
pagerduty | x-pagerduty-signature | , v1= | hex | - | {b}
circleci | circleci-signature | , v1= | hex | - | {b}
docusign | x-docusign-signature-1 x-docusign-signature-2 x-docusign-signature-3 x-docusign-signature-4 x-docusign-signature-5 | - - | base64 | - | {b}
coinbase-commerce | x-cc-webhook-signature | - - | hex | - | {b}
razorpay | x-razorpay-signature | - - | hex | - | {b}
adyen-platform | hmacsignature | - - | base64 | - | {b}
line | x-line-signature | - - | base64 | - | {b}
gocardless | webhook-signature | - - | hex | - | {b}
pusher | x-pusher-signature | - - | hex | - | {b}
resource | x-webhook-signature | - - | hex | - | {b}
stripe | stripe-signature | , v1= | hex | t= s 300 300 | {t}.{b}
paddle | paddle-signature | ; h1= | hex | ts= s 5 5 | {t}:{b}
workos | workos-signature | , v1= | hex | t= ms 180 180 | {t}.{b}
calendly | calendly-webhook-signature | , v1= | hex | t= s 180 180 | {t}.{b}
sanity | sanity-webhook-signature | , v1= | base64url | t= ms 300 300 | {t}.{b}
mux | mux-signature | , v1= | hex | t= s 300 300 | {t}.{b}
elevenlabs | elevenlabs-signature | , v0= | hex | t= s 1800 1800 | {t}.{b}
retell | x-retell-signature | , d= | hex | v= ms 300 300 | {b}{t}
slack | x-slack-signature | - v0= | hex | x-slack-request-timestamp s 300 300 | v0:{t}:{b}
zoom | x-zm-signature | - v0= | hex | x-zm-request-timestamp s 10800 300 | v0:{t}:{b}
zendesk | x-zendesk-webhook-signature | - - | base64 | x-zendesk-webhook-signature-timestamp ms 3600 300 | {t}{b}
box | box-signature-primary | - - | base64 | box-delivery-timestamp ms 600 600 | {b}{t}
hubspot-v1 | x-hubspot-signature | - - | hex | - | {b}
hubspot-v2 | x-hubspot-signature | - - | hex | - | {m}{u}{b}
hubspot-v3 | x-hubspot-signature-v3 | - - | base64 | x-hubspot-request-timestamp ms 300 300 | {m}{U}{b}{t}
webflow | x-webflow-signature | - - | hex | x-webflow-timestamp ms 300 300 | {t}:{b}
customerio | x-cio-signature | - - | hex | x-cio-timestamp s 608400 300 | v0:{t}:{b}
cloudinary | x-cld-signature | - - | hex | x-cld-timestamp s 7200 7200 | {b}{t}
linear | linear-signature | - - | hex | body ms 60 60 | {b}
square | x-square-hmacsha256-signature | - - | base64 | - | {u}{b}
trello | x-trello-webhook | - - | base64 | - | {b}{u}
discord | x-signature-ed25519 | - - | hex | x-signature-timestamp s 900 300 | {t}{b}
sendgrid | x-twilio-email-event-webhook-signature | - - | base64 | x-twilio-email-event-webhook-timestamp s 90000 300 | {t}{b}
gitlab-token | x-gitlab-token | - - | token | - |
telegram | x-telegram-bot-api-secret-token | - - | token | - |
postmark | authorization | - - | basic | - |
";

/// The most signatures that one request may carry.
const MAX_SIGNATURES: usize = 16;

/// The most by private keys.
const MAX_PUBLIC_KEY_SIGNATURES: usize = 3;

/// The value of headers that stand for each other; `None` where there is none, or where two say different things.
fn one_of<'n>(request: &Request, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let names = names.into_iter();
    let values: Vec<_> = names.filter_map(|name| request.header(name)).collect();
    let first = values.first()?;
    values
        .iter()
        .all(|value| value == first)
        .then(|| first.clone())
}

/// Scheme of one sender.
#[derive(Debug)]
pub(crate) enum Scheme {
    Recipe(Recipe),
    Special(&'static str),
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Recipe {
    headers: Vec<&'static str>,
    separator: Option<char>,
    tag: Option<(char, &'static str)>,
    code: &'static str,
    time: Option<(Vec<&'static str>, Tolerance)>,
    content: &'static str,
    require: &'static [(&'static str, &'static str)],
}

/// The unit of a signed time, and the distance that it may have from now, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerance {
    pub(crate) unit: i64,
    pub(crate) past: i64,
    pub(crate) future: i64,
}

/// The content that a request claims to have signed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct View {
    /// The signatures that it brings, decoded.
    pub(crate) signatures: Vec<Vec<u8>>,
    /// The bytes that the signatures would be over. Two requests with the same bytes here have the same signature.
    pub(crate) content: Vec<u8>,
    /// The content by parts: two requests with the same parts say the same.
    pub(crate) parts: Vec<String>,
}

impl Scheme {
    pub(crate) fn of(preset: &str) -> Self {
        for line in RECIPES.lines().filter(|line| !line.is_empty()) {
            let fields: Vec<_> = line.split('|').map(str::trim).collect();
            if !fields[0].split(' ').any(|name| name == preset) {
                continue;
            }
            let (separator, tag) = fields[2].split_once(' ').unwrap();
            let time: Vec<_> = fields[4].split(' ').collect();
            let seconds = |text: &str| text.parse::<i64>().unwrap() * 1000;
            return Self::Recipe(Recipe {
                headers: fields[1].split(' ').collect(),
                separator: match separator {
                    "-" => None,
                    "_" => Some(' '),
                    other => other.chars().next(),
                },
                tag: (tag != "-").then(|| {
                    let (at, kv) = tag.char_indices().next_back().unwrap();
                    (kv, &tag[..at])
                }),
                code: fields[3],
                time: (time.len() == 4).then(|| {
                    let tolerance = Tolerance {
                        unit: if time[1] == "s" { 1000 } else { 1 },
                        past: seconds(time[2]),
                        future: seconds(time[3]),
                    };
                    (time[0].split(',').collect(), tolerance)
                }),
                content: fields[5],
                require: match preset {
                    "box" => &[
                        ("box-signature-version", "1"),
                        ("box-signature-algorithm", "HmacSHA256"),
                    ],
                    _ => &[],
                },
            });
        }
        let special = [
            "twilio-form",
            "twilio-json",
            "twilio-sharedkey-sha256",
            "contentful",
            "aws-sns",
            "paypal",
            "plaid",
            "adyen",
            "mailgun",
            "msgraph",
            "mercadopago",
        ];
        if let Some(name) = special.into_iter().find(|name| *name == preset) {
            return Self::Special(name);
        }
        assert!(["stonal", "plain"].contains(&preset), "{preset}");
        Self::Nothing
    }

    pub(crate) fn tolerance(&self) -> Option<Tolerance> {
        let tolerance = |unit, past: i64, future: i64| Tolerance {
            unit,
            past: past * 1000,
            future: future * 1000,
        };
        match self {
            Self::Recipe(recipe) => recipe.time.as_ref().map(|(_, tolerance)| *tolerance),
            Self::Special("contentful") => Some(tolerance(1, 30, 30)),
            Self::Special("plaid") => Some(tolerance(1000, 300, 300)),
            Self::Special("paypal") => Some(tolerance(1000, 345_600, 300)),
            Self::Special("mailgun") => Some(tolerance(1000, 28_800, 300)),
            Self::Special("mercadopago") => Some(tolerance(1, 604_800, 300)),
            Self::Special(_) | Self::Nothing => None,
        }
    }

    /// True when the signature covers the body, byte for byte or by the fields that count.
    pub(crate) fn covers_body(&self) -> bool {
        match self {
            Self::Recipe(recipe) => recipe.content.contains("{b}"),
            Self::Special(name) => !["mailgun", "msgraph", "mercadopago"].contains(name),
            Self::Nothing => false,
        }
    }

    /// What a request claims to have signed, once for each proof that it must bring; `None` where it brings none.
    pub(crate) fn views(&self, source: &str, request: &Request) -> Option<Vec<View>> {
        let one = match self {
            Self::Nothing => Some(View::default()),
            Self::Recipe(recipe) => recipe.view(source, request),
            Self::Special(name) => match *name {
                "twilio-form" | "twilio-sharedkey-sha256" => twilio_form(name, source, request),
                "twilio-json" => {
                    let body = String::from_utf8_lossy(&request.body).into_owned();
                    let parts = vec![address(source, request), body];
                    let text = request.header("x-twilio-signature")?;
                    Some(View::of(vec![decode("base64", text.trim())?], parts))
                }
                "contentful" => contentful(source, request),
                "aws-sns" => sns(request),
                "paypal" => paypal(request),
                "plaid" => plaid(request),
                "mercadopago" => mercado_pago(request),
                "mailgun" => mailgun(request),
                "adyen" => return adyen(request),
                "msgraph" => return graph(request),
                _ => None,
            },
        };
        Some(vec![one?])
    }
}

impl View {
    /// A view whose content keeps the borders of its parts.
    fn of(signatures: Vec<Vec<u8>>, parts: Vec<String>) -> Self {
        Self {
            signatures,
            content: parts.join("\u{0}").into_bytes(),
            parts,
        }
    }
}

fn address(source: &str, request: &Request) -> String {
    match request.query.as_str() {
        "" => format!("{URL}{source}"),
        query => format!("{URL}{source}?{query}"),
    }
}

impl Recipe {
    fn view(&self, source: &str, request: &Request) -> Option<View> {
        for (name, value) in self.require {
            if request.header(name)? != *value {
                return None;
            }
        }
        let mut items = Vec::new();
        for name in &self.headers {
            let Some(line) = request.header(name) else {
                continue;
            };
            match self.separator {
                Some(separator) => items.extend(line.split(separator).map(str::to_owned)),
                None => items.push(line),
            }
        }
        let (mut signatures, mut times) = (Vec::new(), Vec::new());
        let time_tag = match &self.time {
            Some((names, _)) => names[0].strip_suffix('='),
            None => None,
        };
        for item in &items {
            let item = item.trim();
            match self.tag {
                None => signatures.push(item),
                Some((kv, tag)) => match item.split_once(kv) {
                    Some((name, value)) if name == tag => signatures.push(value),
                    Some((name, value)) if Some(name) == time_tag => times.push(value),
                    _ => {}
                },
            }
        }
        if signatures.is_empty() || signatures.len() > MAX_SIGNATURES {
            return None;
        }
        let decoded = signatures.iter().filter_map(|text| decode(self.code, text));
        let decoded: Vec<_> = decoded.collect();
        // Only what could be a signature is checked with a pass over the body.
        if source.ends_with("-v1a") && decoded.len() > MAX_PUBLIC_KEY_SIGNATURES {
            return None;
        }
        let time = match (&self.time, time_tag) {
            (_, Some(_)) => match times[..] {
                [one] => Some(one.to_owned()),
                _ => return None,
            },
            (Some((names, _)), None) if names[0] != "body" => {
                Some(one_of(request, names.iter().copied())?)
            }
            _ => None,
        };
        let mut view = View {
            signatures: decoded,
            ..View::default()
        };
        let mut rest = self.content;
        while let Some((literal, after)) = rest.split_once('{') {
            let (token, after) = after.split_once('}').unwrap();
            rest = after;
            let bytes = match token {
                "b" => request.body.clone(),
                "t" => time.clone()?.into_bytes(),
                "u" => address(source, request).into_bytes(),
                "U" => some_escapes_decoded(&address(source, request)).into_bytes(),
                "m" => request.method.clone().into_bytes(),
                names => one_of(request, names.split(','))?.into_bytes(),
            };
            view.content.extend(literal.bytes());
            view.content.extend(&bytes);
            view.parts.push(latin(&bytes));
        }
        Some(view)
    }
}

/// Bytes as a text, each a character.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The escapes that `HubSpot` decodes before it signs.
fn some_escapes_decoded(url: &str) -> String {
    let escapes = "%3A: %2F/ %3F? %40@ %21! %24$ %27' %28( %29) %2A* %2C, %3B;";
    let mut text = url.to_owned();
    for escape in escapes.split(' ') {
        text = text.replace(&escape[..3], &escape[3..]);
    }
    text
}

fn twilio_form(name: &str, source: &str, request: &Request) -> Option<View> {
    let settings = request.header("x-twilio-webhooks-signature-settings");
    let is_there = request
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("x-twilio-webhooks-signature-settings"));
    if name == "twilio-form" && is_there {
        return None;
    }
    if name != "twilio-form" {
        let mut settings = settings.as_deref()?.split(',').map(str::trim);
        settings.find(|setting| *setting == "algorithm=HMAC_SHA256")?;
    }
    let mut fields = pairs(&request.body);
    fields.sort();
    fields.dedup();
    let url = address(source, request);
    let mut content = url.clone();
    let mut parts = vec![url];
    for (name, value) in fields {
        content.extend([name.as_str(), value.as_str()]);
        parts.extend([name, value]);
    }
    let text = request.header("x-twilio-signature")?;
    Some(View {
        signatures: vec![decode("base64", text.trim())?],
        content: content.into_bytes(),
        parts,
    })
}

fn contentful(source: &str, request: &Request) -> Option<View> {
    let names = request.header("x-contentful-signed-headers")?;
    let names: Vec<_> = names.split(',').map(str::trim).collect();
    let time = "x-contentful-timestamp";
    names.iter().find(|name| name.eq_ignore_ascii_case(time))?;
    request.header(time)?;
    let address = format!("/webhooks/{source}");
    let mut parts = vec![request.method.clone(), address, request.query.clone()];
    for name in names {
        let value = request.header(name)?;
        parts.push(format!("{}:{}", name.to_ascii_lowercase(), value.trim()));
    }
    parts.push(latin(&request.body));
    let text = request.header("x-contentful-signature")?;
    Some(View::of(vec![decode("hex", &text)?], parts))
}

fn sns(request: &Request) -> Option<View> {
    let body = Node::parse(&request.body)?;
    let text = |name| body.member(name)?.text();
    let names: &[&str] = match text("Type")?.as_str() {
        "Notification" => &[
            "Message",
            "MessageId",
            "Subject",
            "Timestamp",
            "TopicArn",
            "Type",
        ],
        _ => return None,
    };
    if text("TopicArn")? != TOPIC || text("SignatureVersion")? != "2" {
        return None;
    }
    let url = text("SigningCertURL")?;
    if !url.starts_with("https://sns.") || !url.contains(".amazonaws.com") {
        return None;
    }
    // A request with another certificate of the provider may be refused.
    let (mut content, mut parts) = (String::new(), vec![url]);
    for name in names {
        if body.is_twice(name) {
            return None;
        }
        match text(name) {
            Some(value) if *name != "Message" && value.contains('\n') => return None,
            Some(value) => {
                content.extend([name, "\n", &value, "\n"]);
                parts.push(format!("{name}:{value}"));
            }
            None if *name == "Subject" => {}
            None => return None,
        }
    }
    Some(View {
        signatures: vec![decode("base64", &text("Signature")?)?],
        content: content.into_bytes(),
        parts,
    })
}

/// One view for each item: each signs eight of its own fields.
fn adyen(request: &Request) -> Option<Vec<View>> {
    let body = Node::parse(&request.body)?;
    let items = body.member("notificationItems")?.items()?;
    let mut views = Vec::new();
    for item in items {
        let item = item.member("NotificationRequestItem")?;
        let (mut texts, mut parts) = (Vec::new(), Vec::new());
        let amount = |name| item.member("amount").and_then(|amount| amount.member(name));
        if item.is_twice("amount") || item.is_twice("additionalData") {
            return None;
        }
        let fields = [
            "pspReference",
            "originalReference",
            "merchantAccountCode",
            "merchantReference",
            "value",
            "currency",
            "eventCode",
            "success",
        ];
        for name in fields {
            let is_amount = name == "value" || name == "currency";
            let value = if is_amount {
                amount(name)
            } else {
                item.member(name)
            };
            let twice = match item.member("amount") {
                Some(amount) if is_amount => amount.is_twice(name),
                _ => !is_amount && item.is_twice(name),
            };
            if twice {
                return None;
            }
            let text = value.and_then(Node::text).or_else(|| value?.truth());
            let text = text.unwrap_or_default();
            if text.contains(':') && name != "merchantReference" {
                return None;
            }
            // As text and as what else: `true` and "true" sign the same, and only one of them is a text.
            parts.push(format!("{}{text}", value.map_or("", Node::sort)));
            texts.push(text);
        }
        // Not signed, but read: which of two counts, nobody knows.
        parts.extend(item.is_twice("eventDate").then(|| "twice".to_owned()));
        let signature = item.member("additionalData")?.member("hmacSignature")?;
        views.push(View {
            signatures: vec![decode("base64", &signature.text()?)?],
            content: texts.join(":").into_bytes(),
            parts,
        });
    }
    (!views.is_empty()).then_some(views)
}

/// One view for each item: each holds the secret.
fn graph(request: &Request) -> Option<Vec<View>> {
    let body = Node::parse(&request.body)?;
    let view = |item: &Node| {
        let state = item.member("clientState")?.text()?;
        Some(View::of(vec![state.into_bytes()], Vec::new()))
    };
    let views: Option<Vec<_>> = body.member("value")?.items()?.iter().map(view).collect();
    views.filter(|views| !views.is_empty())
}

fn paypal(request: &Request) -> Option<View> {
    let of = |name: &str| request.header(&format!("paypal-{name}"));
    if of("auth-algo")? != "SHA256withRSA" {
        return None;
    }
    let url = of("cert-url")?;
    let hosts = ["api.", "api-m.", "api.sandbox.", "api-m.sandbox."];
    hosts.iter().find(|host| {
        url.starts_with(&format!("https://{host}paypal.com/v1/notifications/certs/"))
    })?;
    let signature = decode("base64", &of("transmission-sig")?)?;
    // The signature is over a checksum of the body; that two bodies of a test have the same is as likely as a forgery.
    let parts = [
        of("transmission-id")?,
        of("transmission-time")?,
        latin(&request.body),
    ];
    // A request with another certificate of the provider may be refused.
    Some(View {
        signatures: vec![signature],
        content: parts.join("|").into_bytes(),
        parts: parts.into_iter().chain([url]).collect(),
    })
}

fn plaid(request: &Request) -> Option<View> {
    let token = request.header("plaid-verification")?;
    let (signed, signature) = token.rsplit_once('.')?;
    // A JSON Web Token has no padding (RFC 7515, 2).
    let signature = Some(signature).filter(|text| !text.contains('='))?;
    let parts = vec![signed.to_owned(), latin(&request.body)];
    Some(View::of(vec![decode("base64url", signature)?], parts))
}

fn mercado_pago(request: &Request) -> Option<View> {
    let line = request.header("x-signature")?;
    let mut found = [Vec::new(), Vec::new()];
    for item in line.split(',') {
        match item.trim().split_once('=') {
            Some(("v1", value)) => found[0].push(value.to_owned()),
            Some(("ts", value)) => found[1].push(value.to_owned()),
            _ => {}
        }
    }
    let [signatures, times] = found;
    let [time] = &times[..] else { return None };
    if signatures.is_empty() || signatures.len() > MAX_SIGNATURES {
        return None;
    }
    let signatures = signatures.iter().filter_map(|text| decode("hex", text));
    let id = request.query_value("data.id").map(|id| id.to_lowercase());
    let (id, request_id) = (id.unwrap_or_default(), request.header("x-request-id"));
    let parts = vec![id, request_id.unwrap_or_default(), time.clone()];
    Some(View::of(signatures.collect(), parts))
}

fn mailgun(request: &Request) -> Option<View> {
    let names = ["timestamp", "token", "signature"];
    let form = || pairs(&request.body);
    // A form may carry JSON in its one field.
    let payload = form().into_iter().find(|(name, _)| name == "payload");
    let payload = payload.filter(|(_, text)| text.trim_start().starts_with('{'));
    if let (Some((_, text)), None) = (payload, Node::parse(&request.body)) {
        let body = text.into_bytes();
        return mailgun(&Request {
            body,
            ..request.clone()
        });
    }
    let of_json = || {
        let body = Node::parse(&request.body)?;
        let proof = body.member("signature");
        let fields = names.map(|name| proof.and_then(|proof| proof.member(name)?.text()));
        let own = names.map(|name| body.member(name).and_then(Node::text));
        Some(if fields.iter().all(Option::is_none) {
            own
        } else {
            fields
        })
    };
    let of_form = || {
        let form = form();
        let first = |wanted| form.iter().find(|(name, _)| name == wanted);
        names.map(|name| first(name).map(|(_, value)| value.clone()))
    };
    let of_parts = || {
        let text = String::from_utf8_lossy(&request.body).into_owned();
        let (boundary, mut rest) = text.split_once("\r\n").unwrap_or_default();
        let next = format!("\r\n{boundary}");
        let mut parts = Vec::new();
        // What follows the last boundary, or was cut before one, is no part. The line break behind a boundary is not the
        // one before the next (RFC 2046, 5.1.1).
        while let Some((part, after)) = rest.split_once(&next) {
            parts.push(part);
            let Some(after) = after.strip_prefix("\r\n") else {
                break;
            };
            rest = after;
        }
        let fields: Vec<_> = parts.into_iter().filter_map(part).collect();
        names.map(|wanted| {
            let field = fields.iter().find(|(name, _)| *name == wanted);
            field.map(|(_, value)| (*value).to_owned())
        })
    };
    let [time, token, signature] = if request.body.starts_with(b"--") {
        of_parts()
    } else {
        of_json().unwrap_or_else(of_form)
    };
    let signature = decode("hex", &signature?)?;
    Some(View::of(vec![signature], vec![time?, token?]))
}

/// Name and value of a part whose head says nothing else of it: a line for each header, one disposition, one parameter.
fn part(text: &str) -> Option<(&str, &str)> {
    let (head, value) = text.split_once("\r\n\r\n")?;
    let mut found = None;
    for line in head.split("\r\n") {
        let colon = line.find(':')?;
        let key = &line[..colon];
        if key.is_empty() || key.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            return None;
        }
        if key.eq_ignore_ascii_case("content-disposition")
            && found.replace(&line[colon + 1..]).is_some()
        {
            return None;
        }
    }
    let mut words = found?.splitn(2, ';').map(str::trim);
    let (kind, name) = (words.next()?, words.next()?);
    let (key, name) = name.split_at_checked(5)?;
    if !kind.eq_ignore_ascii_case("form-data") || !key.eq_ignore_ascii_case("name=") {
        return None;
    }
    let marks = name.matches('"').count();
    let is_quoted = marks == 2 && name.len() > 1 && name.starts_with('"') && name.ends_with('"');
    let is_word = marks == 0 && !name.contains([';', ' ']);
    let is_text = !text.contains('\u{FFFD}');
    (is_text && (is_quoted || is_word)).then(|| (name.trim_matches('"'), value))
}

fn alphabet(code: &str) -> &'static [u8] {
    match code {
        "hex" => b"0123456789abcdef",
        "base64url" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
        _ => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    }
}

fn encode(code: &str, bytes: &[u8]) -> String {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let width = if code == "hex" { 4 } else { 6 };
    let digit = |bits: &[u8]| {
        let value = (0..width).fold(0, |value, at| {
            value << 1 | usize::from(*bits.get(at).unwrap_or(&0))
        });
        char::from(alphabet(code)[value])
    };
    let mut text: String = bits.chunks(width).map(digit).collect();
    while code == "base64" && !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Decodes, and takes only what encoding would give back; hex digits in either case.
fn decode(code: &str, text: &str) -> Option<Vec<u8>> {
    let text = match code {
        "token" => return Some(text.as_bytes().to_vec()),
        "basic" => {
            let (scheme, credentials) = text.split_once(' ')?;
            let is_basic = scheme.eq_ignore_ascii_case("basic");
            return is_basic.then(|| decode("base64", credentials.trim()))?;
        }
        "hex" => text.to_ascii_lowercase(),
        "base64url" => text.trim_end_matches('=').to_owned(),
        _ => text.to_owned(),
    };
    let width = if code == "hex" { 4 } else { 6 };
    let mut bits = Vec::new();
    for letter in text.bytes().take_while(|letter| *letter != b'=') {
        let value = alphabet(code).iter().position(|known| *known == letter)?;
        bits.extend((0..width).rev().map(|bit| value >> bit & 1));
    }
    let byte = |bits: &[usize]| {
        let value = bits.iter().fold(0, |byte, bit| byte << 1 | bit);
        u8::try_from(value).unwrap()
    };
    let bytes: Vec<u8> = bits.chunks_exact(8).map(byte).collect();
    (encode(code, &bytes) == text).then_some(bytes)
}
