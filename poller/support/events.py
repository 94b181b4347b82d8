"""What is logged.

The events, each a stable name with its fields beside it (`mapping`, and `lane` or `partition` where there is one, are
bound):

| event | level | when |
|---|---|---|
| daemon_started | info | configuration loaded; names versions and what the data plane runs on |
| transport_chosen | info | another transport than the configured one is used, and why |
| api_listening | info | the HTTP server answers; `address` is what `--api` takes |
| service_manager_not_told | warning | the socket in NOTIFY_SOCKET does not take what we say |
| api_crowded | warning | there are too many connections to the HTTP server; the idlest are cut |
| api_request_malformed | warning | a request to the HTTP server cannot be understood |
| api_request_failed | warning | a bug kept a request to the HTTP server from being answered |
| status_not_told | warning | a bug keeps the status of one mapping from being told; the others are shown |
| api_secret_unreadable | error | a request to the Lambda API was refused: its secret cannot be read |
| api_call_overdue | warning | a call to the Lambda API took longer than it may, and was answered with an error |
| http_face_answer_malformed | warning | the answer of a function behind an HTTP face does not have the service's form |
| http_face_not_answered | warning | a function behind an HTTP face failed, or was not invoked |
| api_token_unreadable | error | a request was refused, since there is nothing to compare its token with |
| configuration_warning | warning | accepted, but probably not meant |
| ready | info | every source was reached, or says why it cannot be |
| mapping_started | info | a mapping begins, or begins again after a change or a pause |
| mapping_not_started | warning | something this machine lacks keeps a mapping from being built; it is tried again |
| mapping_paused, mapping_resumed | info | a person asked for it; it is remembered over restarts |
| action_done | info | a person's order was carried out; who and why beside it, `id` is that of the action log |
| action_not_noted | warning | an order was carried out, and the state cannot take that note of it |
| old_seeks_not_forgotten | warning | a position was moved; positions of old seeks stay stored until the next one |
| failed_event_not_kept, failed_events_unknown, not_shown | warning | the store did not take or list these |
| dry_run_batch | info | what a daemon without `--dry-run` would have invoked the function with |
| mapping_still_paused | warning | a mapping that was paused before is configured and rests until it is resumed |
| mapping_removed | info | one that is no longer configured has ended; its account beside it |
| mapping_made | info | Lambda's API was asked for a mapping, which is stored |
| made_mapping_changed | info | Lambda's API was asked for other parameters of a mapping it had made |
| made_mapping_deleted | info | Lambda's API was asked to delete a mapping: it ends, and can be restored for a week |
| asynchronous_event_not_kept | error | the queue of a function did not take an event, so its caller was refused |
| asynchronous_event_dropped | warning | an asynchronous event was given up, and its function has no on_failure |
| asynchronous_event_not_settled | error | what follows an invocation could not be sent; its event is invoked again |
| made_mapping_not_run | warning | a stored mapping contradicts the configuration, which wins |
| made_mapping_not_stored | error | what Lambda's API was asked for could not be stored, so nothing has changed |
| made_mapping_followed | info | another daemon has stored, changed or deleted a mapping: this one does as is stored |
| made_mapping_forgotten | info | a mapping was deleted a week ago: it and its position are stored no more |
| made_mappings_not_read | warning | the store does not tell which mappings it has by now; the known ones run on |
| reload_requested | info | the configuration is read anew; `by` a signal or a changed file |
| reloaded | info | the new configuration runs; what it means for the mappings beside it |
| reload_refused | error | the new configuration is not taken, nothing has changed; `problems` as `check` tells |
| configuration_not_watched | warning | changes of files are not heard of; SIGHUP reloads all the same |
| source_reached | info | a partition's source answers, at first or again |
| source_unavailable | warning | a source cannot be read: missing, denied, unreachable; the text says which |
| call_failed | warning | a call to the source brought no good answer; it is made again |
| record_unreadable | warning | a record has no sequence number, and its shard is not read past it; asked again |
| attributes_not_read | warning | the queue's attributes could not be read anew; the last ones are used on |
| position_trimmed | warning | the stream no longer holds what comes behind a position; its beginning is read |
| gap_in_shard | warning | reading went on behind a gap; its ends, and how many seconds it spans where known |
| records_expired | warning | the stream no longer holds what was tried in vain; which records of which shard |
| hole_in_hash_keys | warning | no listed shard takes some hash keys |
| stream_recreated | warning | there is a new stream of the same name, and it is read as configured |
| stream_changed | warning | the position stored is one in another stream; this one is read as configured |
| retry_state_not_restored | warning | the batch being retried before could not be built again; attempts restart |
| progress_not_stored | warning | positions could not be stored; it is tried again, and none has moved |
| store_away | warning | the store does not answer at the start; why, and in how many seconds it is tried again |
| fleet_joined | info | this daemon is a member of its fleet, and may claim shards |
| fleet_life_over | error | other members declared this one dead; what it held is theirs, and it joins anew |
| fleet_member_buried | warning | a member did not beat for its lease; its shards are taken over |
| fleet_request_failed | error | a bug kept this daemon from what another member asked; that one is told so |
| fleet_shard_claimed, fleet_shard_given | info | a shard came to this daemon, or goes to another one |
| fleet_store_failed | warning | the store of the fleet did not answer; tried again |
| fleet_not_left | warning | at the stop the store did not answer; the others wait for the lease to end |
| state_not_usable | error | the state file was taken away under the daemon; nothing is stored or acknowledged |
| batch_discarded | warning | records were given up at a limit of the mapping's; which limit, which of which shard |
| destination_failed | warning | the on-failure destination did not accept; it is tried again |
| function_log | info | a line that a function we run has written; `request_id` is the invocation's |
| function_log_left_out | warning | a function wrote more than is logged; how much, since the last line of this |
| runtime_listening | info | runtimes may ask for invocations; `address` is for AWS_LAMBDA_RUNTIME_API |
| worker_started, worker_stopped | debug | a function's process comes, or goes for want of work |
| worker_not_started | warning | a function's process did not get ready; why, and when another is tried |
| workers_restarted | info | every process of a function is started anew; `why` is code, environment or request |
| code_not_watched | warning | changes of a function's code are not heard of; SIGHUP starts it anew all the same |
| worker_exited | warning | a function's process ended by itself; `request_id` is what it was at |
| worker_killed | warning | an invocation ran out of time, and its process is ended |
| guard_ended | warning | the process that ends workers after the daemon was killed; another is started |
| batch_failed, shadow_failed | warning | an invocation of a function, or of its shadow, failed wholly or in part |
| function_not_invoked | warning | a function could not be invoked, or refused; the batch is held |
| circuit_opened | warning | a function could not be invoked again and again; only a probe is let through now and then |
| circuit_closed | warning | the function can be invoked again |
| function_logs | debug | the end of the log of an invocation, where the function is asked for it |
| gap_in_message_group | warning | a partial response deletes messages behind a failed one of their group |
| delete_failed | warning | messages that are done with could not be deleted yet |
| payload_not_json | warning | a payload did not match only because a pattern asks for its fields and it is not JSON |
| message_not_unwrapped | warning | a message holds no event of the service that unwrap names; released as failed |
| release_failed | warning | messages could not be made visible again early; their timeout does |
| extension_failed | warning | the visibility of messages in work could not be extended yet |
| messages_not_deliverable | warning | a service sent messages without a receipt handle; each is named once |
| visibility_ended | warning | messages were held for as long as SQS allows |
| settling_cut_off | warning | a stop left deletes undone; those messages come again |
| partition_failed | error | an error without a class of its own ended a partition; it is restarted |
| source_failed | error | an error without a class of its own met a source that looked for partitions; others run on |
| task_died | error | a task ended that never may; the daemon is unhealthy from now on |
| unhealthy, healthy | error, info | the health check changed its mind; `problems` says why |
| stop_requested | info | soft or hard stop, and by what |
| stopping | info | what the soft stop waits for, by mapping |
| hard_stop | warning | the grace period is over; what still runs is cancelled |
| left_behind | error | something did not end in its time at a stop, and the process goes without it |
| stop_never_ended | critical | the event loop hangs, and the process ends without it |
| stopped | info | everything has ended; the account of each mapping beside it |
| command_failed | critical | a bug ended the command |
| log_lines_left_out | warning | the log's reader stood still or its disk was full; `count` lines are missing here |
| library_message | as logged | a library's own log record; `logger` names it, `message` is its text |
"""
