from concurrent.futures import ThreadPoolExecutor

from apply import failed

POOL = ThreadPoolExecutor(max_workers=10)


def handler(batch, context):
    return {"batchItemFailures": [one for one in POOL.map(failed, batch["Records"]) if one]}
