from apply import failed


def handler(batch, context):
    return {"batchItemFailures": [one for one in map(failed, batch["Records"]) if one]}
