import { answer, received, remember, send, verified } from './receive.mjs';

export async function handler(request) {
  const { refused, event } = verified(request);
  if (refused) return refused;
  if (await remember(event)) return answer(200, { status: 'duplicate' });
  await send(event);
  return received();
}
