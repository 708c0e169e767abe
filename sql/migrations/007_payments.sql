-- Who an account is at a payment provider. The payments themselves are the purchases; what the provider knows of a card
-- stays with the provider.

create table credits.payment_customers (
  account_id text collate "C" not null,
  provider text not null,
  customer_id text not null,
  saved_at timestamptz not null,
  constraint payment_customers_pkey primary key (account_id, provider),
  constraint payment_customers_account_fkey foreign key (account_id) references credits.accounts,
  constraint payment_provider_is_1_to_64_characters check (length(provider) between 1 and 64),
  constraint payment_customer_id_is_1_to_255_characters check (length(customer_id) between 1 and 255)
);
comment on table credits.payment_customers is 'Who an account is at a payment provider: top-ups are charged to the card that this customer has saved there.';
comment on column credits.payment_customers.account_id is 'The account.';
comment on column credits.payment_customers.provider is 'The provider, such as "stripe".';
comment on column credits.payment_customers.customer_id is 'The provider''s own id of the customer.';
comment on column credits.payment_customers.saved_at is 'When it was saved, or last changed.';
