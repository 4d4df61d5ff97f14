//! The outputs of a CloudFormation stack, which name its tables, queues and bucket.

use std::collections::BTreeMap;

use crate::client::connection::Connection;
use crate::client::limits::Limits;
use crate::http::signed::Request;
use crate::tools::failure::{AdminError, failed};

/// The outputs of a stack by their keys ("DescribeStacks", AWS CloudFormation API Reference).
///
/// # Errors
/// When there is no such stack, or CloudFormation refuses.
pub async fn outputs(
    connection: &Connection,
    name: &str,
) -> Result<BTreeMap<String, String>, AdminError> {
    let what = format!("reading the stack {name}");
    let service = "cloudformation";
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "DescribeStacks");
    form.append_pair("Version", "2010-05-15");
    form.append_pair("StackName", name);
    let body = form.finish();
    let request = Request {
        service,
        method: "POST",
        url: &connection.service_url(service),
        headers: &[("content-type", "application/x-www-form-urlencoded")],
        body: body.as_bytes(),
    };
    let answer = connection.send_signed(&request, Limits::TOOL).await;
    let answer = answer.map_err(|why| failed(&what, why))?;
    let xml = String::from_utf8_lossy(&answer.body);
    match (answer.status, text(&xml, "Code")) {
        (200, _) => Ok(in_answer(&xml)),
        (_, Some("ValidationError")) => {
            let region = connection.region();
            let why = format!(
                "there is none of that name in {region}: AWS_REGION and AWS_PROFILE choose another region and account"
            );
            Err(failed(&what, why))
        }
        (_, Some(code)) => Err(failed(&what, code)),
        (status, None) => Err(failed(&what, format!("status {status}"))),
    }
}

/// The outputs in an answer. Names of tables and buckets and URLs of queues hold nothing that XML escapes.
fn in_answer(xml: &str) -> BTreeMap<String, String> {
    let outputs = xml.split("<member>").filter_map(|member| {
        let (key, value) = (text(member, "OutputKey")?, text(member, "OutputValue")?);
        Some((key.to_owned(), value.to_owned()))
    });
    outputs.collect()
}

/// The text of the first element of that name.
fn text<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once("</")?;
    Some(text)
}
