"""HTTP faces: a request becomes the event of a load balancer, an API Gateway or a function URL, and back.

`request` is what came and `answer` what goes back; `alb`, `payload_v1` and `payload_v2` are the services, `door` is the
way in.
"""
