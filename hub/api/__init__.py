"""The HTTP API: one frame around every route, and a module per resource.

A handler module parses, calls one use case and answers; errors are raised:

    # hub/api/v1/things.py
    routes = Routes("Things")


    class ThingIn(In):                      # unknown fields refused, types strict
        name: str = Field(min_length=1, max_length=200)


    class ThingOut(Out):
        id: UUID
        name: str


    class ThingsQuery(ListQuery):           # limit and cursor are in it
        name: str | None = None


    @routes.put("/v1/things/{external_id}", name="things.put", scope=Scope.CONTACTS,
                body=ThingIn, answers={200: ThingOut, 201: ThingOut}, summary="Create or change")
    async def put(request: web.Request) -> web.StreamResponse:
        # What the docstring says stands in the OpenAPI document.
        hub, shop = request.app[HUB], request[SHOP]
        external_id = path_text(request, "external_id")
        body = await parse(request, ThingIn)
        thing, is_new = await service.put(hub.db, shop.id, external_id, body.to_domain())
        return answer(ThingOut.of(thing), status=201 if is_new else 200)


    @routes.get("/v1/things", name="things.list", scope=Scope.READ,
                query=ThingsQuery, answers={200: Page[ThingOut]}, summary="List")
    async def listed(request: web.Request) -> web.StreamResponse:
        hub, shop = request.app[HUB], request[SHOP]
        query = read_query(request, ThingsQuery)
        after = position(request, query)    # the `key` of the last item seen, None at the start
        rows = await queries.listed(hub.db, shop.id, before=after and UUID(after),
                                    limit=query.limit + 1, name=query.name)
        return answer(page(request, query, rows, key=lambda row: str(row.id), show=ThingOut.of))

A page says `"text/html"` among its `answers`, reads forms by `pages.read_form` and is given a good link in
tests/hub/pages/test_doors.py, which holds it to the headers that every page has.

`hub.api.app` lists the modules. What the frame does for every route, in this order: request id, one `Host` (400),
key (401, or 429 after too many wrong ones), unknown path and method (404, 405), rate limit (429), scope (403), unknown query parameters (400), arrival of
the body (408, 413, 415); then the handler, in `timeout` at most; then errors to problem+json, headers, metrics.
While PostgreSQL is away whatever a handler lets through of `hub.db.pool.UNREACHABLE` becomes 503.
A handler that runs out of time is cancelled: what others wait for too has to be shielded.
"""
