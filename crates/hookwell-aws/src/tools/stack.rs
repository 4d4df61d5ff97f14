//! A CloudFormation stack: its outputs, which name its tables, queues and bucket, and a change of one parameter.

use std::collections::BTreeMap;

use crate::client::connection::Connection;
use crate::client::limits::Limits;
use crate::http::signed::Request;
use crate::now::now;
use crate::tools::failure::{AdminError, failed};

/// A stack as CloudFormation describes it ("DescribeStacks", AWS CloudFormation API Reference).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Outputs of the stack by their keys.
    pub outputs: BTreeMap<String, String>,
    /// Values of its parameters by their keys; stars for those that are not shown.
    pub parameters: BTreeMap<String, String>,
    /// The capabilities that it was deployed with.
    pub capabilities: Vec<String>,
    /// Status of the stack, such as `UPDATE_COMPLETE`.
    pub status: String,
    /// Reason of the status, where there is one.
    pub reason: Option<String>,
}

/// Reads a stack.
///
/// # Errors
/// When there is no such stack, or CloudFormation refuses.
pub async fn describe(connection: &Connection, name: &str) -> Result<Stack, AdminError> {
    let what = format!("reading the stack {name}");
    let form = form("DescribeStacks", name);
    let xml = match call(connection, form).await {
        Ok(xml) => xml,
        Err(Refused {
            code: Some(code), ..
        }) if code == "ValidationError" => {
            let region = connection.region();
            let why = format!(
                "there is none of that name in {region}: AWS_REGION and AWS_PROFILE choose another region and account"
            );
            return Err(failed(&what, why));
        }
        Err(refused) => return Err(failed(&what, refused.code_or_why())),
    };
    let capabilities = xml.split_once("<Capabilities>");
    let capabilities = capabilities.and_then(|(_, rest)| rest.split_once("</Capabilities>"));
    let capabilities = capabilities.map_or("", |(all, _)| all).split("<member>");
    let capabilities = capabilities.filter_map(|member| member.split_once("</member>"));
    Ok(Stack {
        outputs: pairs(&xml, "OutputKey", "OutputValue"),
        parameters: pairs(&xml, "ParameterKey", "ParameterValue"),
        capabilities: capabilities.map(|(name, _)| name.to_owned()).collect(),
        status: text(&xml, "StackStatus").unwrap_or_default().to_owned(),
        reason: text(&xml, "StackStatusReason").map(unescaped),
    })
}

/// The outputs of a stack by their keys.
///
/// # Errors
/// When there is no such stack, or CloudFormation refuses.
pub async fn outputs(
    connection: &Connection,
    name: &str,
) -> Result<BTreeMap<String, String>, AdminError> {
    Ok(describe(connection, name).await?.outputs)
}

/// Starts to give one parameter of a stack another value; its template and everything else stays ("UpdateStack"). True when
/// there is something to change.
///
/// # Errors
/// When CloudFormation refuses, with what it says.
pub async fn set_parameter(
    connection: &Connection,
    name: &str,
    stack: &Stack,
    parameter: &str,
    value: &str,
) -> Result<bool, AdminError> {
    let what = format!("updating the stack {name}");
    let mut form = form("UpdateStack", name);
    form.append_pair("UsePreviousTemplate", "true");
    for (number, key) in (1..).zip(stack.parameters.keys()) {
        let of = |field| format!("Parameters.member.{number}.{field}");
        form.append_pair(&of("ParameterKey"), key);
        if key == parameter {
            form.append_pair(&of("ParameterValue"), value);
        } else {
            form.append_pair(&of("UsePreviousValue"), "true");
        }
    }
    // A template of SAM is transformed again, which needs this beside what the template itself does.
    let transform = "CAPABILITY_AUTO_EXPAND";
    let own = stack.capabilities.iter().map(String::as_str);
    let own = own.filter(|one| *one != transform);
    for (number, capability) in (1..).zip(own.chain([transform])) {
        form.append_pair(&format!("Capabilities.member.{number}"), capability);
    }
    // A request that is sent again, because its answer was lost, is the same change.
    form.append_pair("ClientRequestToken", &format!("hookwell-{}", now()));
    match call(connection, form).await {
        Ok(_) => Ok(true),
        Err(refused) if refused.why.contains("No updates are to be performed") => Ok(false),
        Err(Refused {
            code: Some(code),
            why,
        }) if code == "ValidationError" => Err(failed(&what, why)),
        Err(refused) => Err(failed(&what, refused.code_or_why())),
    }
}

type Form = form_urlencoded::Serializer<'static, String>;

fn form(action: &str, stack: &str) -> Form {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action);
    form.append_pair("Version", "2010-05-15");
    form.append_pair("StackName", stack);
    form
}

/// An answer that is no success.
struct Refused {
    /// AWS's code, where there is one.
    code: Option<String>,
    /// Reason in words.
    why: String,
}

impl Refused {
    fn code_or_why(self) -> String {
        self.code.unwrap_or(self.why)
    }
}

async fn call(connection: &Connection, mut form: Form) -> Result<String, Refused> {
    let service = "cloudformation";
    let body = form.finish();
    let request = Request {
        service,
        method: "POST",
        url: &connection.service_url(service),
        headers: &[("content-type", "application/x-www-form-urlencoded")],
        body: body.as_bytes(),
    };
    let answer = connection.send_signed(&request, Limits::TOOL).await;
    let answer = answer.map_err(|why| Refused {
        code: None,
        why: why.to_owned(),
    })?;
    let xml = String::from_utf8_lossy(&answer.body).into_owned();
    if answer.status == 200 {
        return Ok(xml);
    }
    Err(Refused {
        code: text(&xml, "Code").map(str::to_owned),
        why: match text(&xml, "Message") {
            Some(message) => unescaped(message),
            None => format!("status {}", answer.status),
        },
    })
}

/// Keys and values in an answer. Names of tables and buckets and URLs of queues hold nothing that XML escapes, and a value
/// of a parameter is only compared.
fn pairs(xml: &str, key: &str, value: &str) -> BTreeMap<String, String> {
    let pairs = xml.split("<member>").filter_map(|member| {
        let name = text(member, key)?;
        // An empty value may be left out, or written as an empty element.
        Some((
            name.to_owned(),
            text(member, value).unwrap_or_default().to_owned(),
        ))
    });
    pairs.collect()
}

/// The text of the first element of that name.
fn text<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once("</")?;
    Some(text)
}

fn unescaped(xml: &str) -> String {
    let others = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
    ];
    let plain = others
        .iter()
        .fold(xml.to_owned(), |text, (escape, character)| {
            text.replace(escape, character)
        });
    plain.replace("&amp;", "&")
}
