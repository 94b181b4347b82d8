"""Lambda's own API on the daemon's listener, so that SDKs and tools made for Lambda speak to us.

`front` takes a request apart, `access` decides whose it is, `operation` is what an operation gets and gives, `errors`
the form of a refusal. An operation is a row (`Operation`); `serve` is given all of them.
"""
