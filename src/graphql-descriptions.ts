/**
 * What the database has no comment for: the arguments of functions, and what PostGraphile adds. Everything else in the
 * schema is described by COMMENT ON.
 */
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isObjectType,
} from 'postgraphile/graphql';

/** By the name of the argument, or of the function and the argument where it means something of its own there. */
const ARGUMENTS: Record<string, string> = {
  accountId: "The account: the application's own id of a team or user.",
  actingMemberId:
    "The member who does it, who must be an admin; left out: the application itself. A member's own token counts for more.",
  amount: 'How much, in the unit.',
  'capture.amount': 'What to charge, for a hold of one unit; left out, as is usage: all of it.',
  'configureTopUp.amount': 'How many credits a top-up buys; left out: as before.',
  'refund.amount': 'How much to give back; left out: what is left of the charge.',
  'reversePurchase.amount': 'How many credits to take back; left out: all of them.',
  'revoke.amount': 'How much to take back; left out: all that is available in the lot.',
  anchor: 'Sets the phase of the periods; left out: now.',
  at: 'The instant to look at: ahead of now, a forecast with no further usage. Left out: now.',
  attempt:
    'Which charge of this purchase it was, from 1, so that a decline told twice counts once.',
  bucket: 'included or additional, the default.',
  claimant: 'A verified e-mail address, or another id of a person; compared in lower case.',
  currency: 'ISO 4217; needed where the pack has prices in several.',
  customerId: 'The customer at the provider.',
  enabled: 'Whether it is on.',
  'configureAdditional.enabled':
    'false pauses additional credits; true, the default, draws them again.',
  expiresAt: 'Usable until just before this instant; left out: without expiry.',
  expiresIn: 'How long the hold lasts; left out: an hour.',
  holdId: 'The hold.',
  idempotencyKey:
    'Names this request within the account: sent again, it does nothing more and gives the same rows.',
  immediately: 'true: now, and not at the end of the period.',
  items: 'The operations of the job, in order.',
  kinds: 'Entries of these kinds alone.',
  lotId: 'The lot.',
  maxAmount: 'The price that the user was shown: if it is higher now, PC409 and no charge.',
  memberId: "Who does it: the application's own label of a person.",
  'activity.memberId': 'Entries of this member alone.',
  'addMember.memberId': "The member to add: the application's own label of a person.",
  'removeMember.memberId': 'The member to remove.',
  'buy.memberId':
    "The member who buys, who must be an admin; left out: the application itself. A member's own token counts for more.",
  'configureAdditional.memberId':
    "The member who does it, who must be an admin; left out: the application itself. A member's own token counts for more.",
  'configureTopUp.memberId':
    "The member who does it, who must be an admin; left out: the application itself. A member's own token counts for more.",
  metadata: "The application's own, kept with the entry.",
  monthlyLimit:
    'Top-ups buy at most this many credits in a UTC month; left out: as before, Infinity: no limit.',
  operation: 'The operation, as the rate card names it.',
  pack: 'The pack, as the rate card names it.',
  paid: 'The whole payment, in the currency of the purchase.',
  paymentReference: 'The payment, as the provider names it.',
  periodCap:
    "The member draws at most this much in a period, in the card's main unit; left out: no cap.",
  periodLimit:
    "At most this much of the additional credits is drawn in a period, in the card's main unit; left out: as before, Infinity: no limit.",
  plan: 'The plan.',
  priority: 'Within a bucket, lower is drawn first; 100 unless given.',
  promotion: 'The promotion, as the rate card names it.',
  provider: 'The payment provider, such as "stripe".',
  purchaseId: 'The purchase.',
  quantity: 'The level now, such as 12.5 (stored GB).',
  rateCard:
    'The card whose prices apply, for an account without a plan; left out: the only one there is.',
  reason: 'Why, in your own words; kept with the entry.',
  regrant: "true: what would return to an expired lot is granted anew until the period's end.",
  reinstated:
    'What came back to the account since, after a dispute that it won; left out: nothing.',
  requests: 'Independent of each other; within an account they take effect in this order.',
  returned: 'How much of the payment was returned in all, so far.',
  role: 'admin, or member, the default.',
  seq: 'The entry.',
  since: 'Entries that occurred at this instant or later.',
  threshold: 'A top-up is bought when the total falls below this; left out: as before.',
  timeZone: 'The time zone whose days are meant, such as Europe/Berlin; left out: UTC.',
  unit: 'The unit; credit unless given.',
  until: 'Entries that occurred before this instant.',
  usage:
    'Attributes and measures of the operation, such as {"resolution": "4K", "seconds": 8, "count": 2}.',
  'capture.usage':
    'What the job came to, for a hold of one operation: charged at the rates of the hold.',
};

/** Fills in what has no description yet. */
export function describe(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    type.description ??= descriptionOfType(type);
    if (isEnumType(type)) {
      for (const value of type.getValues()) value.description ??= descriptionOfOrder(value.name);
    } else if (isObjectType(type)) {
      for (const field of Object.values(type.getFields())) describeField(field);
    } else if (isInputObjectType(type)) {
      const of = functionOf(type);
      for (const field of Object.values(type.getFields())) {
        field.description ??= descriptionOfArgument(of, field) ?? fieldLike(type, field);
      }
    }
  }

  /** What a field of an input shares with the column of the same name. */
  function fieldLike(input: GraphQLNamedType, { name }: GraphQLInputField) {
    const output = schema.getType(input.name.replace(/Input$/, ''));
    return isObjectType(output) ? output.getFields()[name]?.description : undefined;
  }
}

function describeField(field: GraphQLField<unknown, unknown>): void {
  if (field.name === 'result')
    field.description ??= 'The rows that it wrote or, repeated, had written.';
  const type = getNamedType(field.type);
  const columns = isObjectType(type) ? type.getFields() : {};
  for (const argument of field.args) {
    argument.description ??=
      descriptionOfArgument(field.name, argument) ?? columns[argument.name]?.description;
  }
}

function descriptionOfArgument(of: string, { name }: GraphQLArgument | GraphQLInputField) {
  return ARGUMENTS[`${of}.${name}`] ?? ARGUMENTS[name];
}

/** addMember, for AddMemberInput. */
function functionOf({ name }: GraphQLNamedType): string {
  return name[0].toLowerCase() + name.slice(1).replace(/Input$/, '');
}

function descriptionOfType({ name }: GraphQLNamedType): string | undefined {
  if (name === 'Mutation') return 'What changes something: one function of the database each.';
  if (name === 'Query') return 'What can be read.';
  return undefined;
}

function descriptionOfOrder(name: string): string {
  if (name === 'NATURAL') return 'In no particular order.';
  const [, by, direction] = /^(.*)_(ASC|DESC)$/.exec(name) ?? [];
  const what = by === 'PRIMARY_KEY' ? 'the key' : by.toLowerCase();
  return `By ${what}, ${direction === 'ASC' ? 'ascending' : 'descending'}.`;
}
