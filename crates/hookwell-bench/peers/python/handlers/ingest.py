from receive import answer, received, remember, send, verified


def handler(request, context):
    event, refused = verified(request)
    if refused:
        return refused
    if remember(event):
        return answer(200, {"status": "duplicate"})
    send(event)
    return received()
