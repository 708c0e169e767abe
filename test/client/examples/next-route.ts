// app/api/images/route.ts
import { createCredits, InsufficientCreditsError } from 'pgcredits';
import { database, signedIn } from './app.ts';

export async function POST(request: Request): Promise<Response> {
  const { team, member } = await signedIn(request);
  const { id, prompt, resolution } = await request.json();
  try {
    const [charge] = await database.transaction().execute(async (transaction) => {
      await transaction.insertInto('images').values({ id, team, prompt }).execute();
      return createCredits(transaction).spend({
        accountId: team,
        memberId: member,
        operation: 'image',
        usage: { resolution },
        idempotencyKey: `image ${id}`,
      });
    });
    return Response.json({ id, balance: charge.balanceAfter });
  } catch (error) {
    if (!(error instanceof InsufficientCreditsError)) throw error;
    const { shortfall, next_refill_at } = error.detail;
    return Response.json({ shortfall, next_refill_at }, { status: 402 });
  }
}
