"""The tank's limits, each chosen on purpose; section `limits` of the settings changes them."""

import msgspec


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of anything is allowed at once.

    Attributes:
        datapoints_per_write_max: Xively's own limit is 500; a write above it is refused whole.
        datastreams_per_device_max: more are refused.
        devices_per_account_max: more are refused.
        keys_per_account_max: more are refused.
        products_per_account_max: more are refused; each device added in the workbench is one.
        devices_per_product_max: more serials are refused.
        serials_per_upload_max: a longer list of serials is refused whole.
        tokens_per_device_max: more are refused, besides the token that every device has.
        triggers_per_account_max, triggers_per_device_max: more are refused.
        backtest_datapoints_max: a back-test looks at so many datapoints at most.
        datapoints_per_read_max: Xively's own limit; reads are clipped to it.
        request_bytes_max: larger bodies are refused before they are read whole.
        future_s_max: a datapoint further in the future is refused.
        raw_range_is_bounded: refuse history at finer intervals than Xively's table allows for its
            range.
        requests_per_key_s: how often each API key may ask, over all doors; 0 for as often as it
            likes. Xively's free accounts had 25 a minute, 0.42.
        requests_per_key_burst: how many requests of a key may come at once after a rest.
        requests_per_account_s: how often each account may ask the REST API by session, as the
            browser pages of others do; 0 for as often as it likes.
        requests_per_account_burst: how many requests of an account may come at once after a rest.
        requests_per_address_s: how often each address may ask without a key, or with one that opens
            nothing; 0 for as often as it likes. An IPv6 address is the /64 that it is in.
        requests_per_address_burst: how many of those may come at once after a rest.
    """

    datapoints_per_write_max: int = 500
    datastreams_per_device_max: int = 1000
    devices_per_account_max: int = 200_000
    keys_per_account_max: int = 200_000
    products_per_account_max: int = 200_000
    devices_per_product_max: int = 1_000_000
    serials_per_upload_max: int = 100_000
    tokens_per_device_max: int = 100
    triggers_per_account_max: int = 10_000
    triggers_per_device_max: int = 200
    backtest_datapoints_max: int = 1_000_000
    datapoints_per_read_max: int = 1000
    request_bytes_max: int = 1_048_576
    future_s_max: int = 366 * 86_400
    raw_range_is_bounded: bool = True
    requests_per_key_s: float = 0.0
    requests_per_key_burst: int = 100
    requests_per_account_s: float = 50.0
    requests_per_account_burst: int = 500
    requests_per_address_s: float = 100.0
    requests_per_address_burst: int = 1000
