// An ordinary Lambda function for Node: names the records that it cannot do, which are those told to fail at first.
const fs = require("fs");
const path = require("path");

const seen = process.env.SEEN;

exports.handler = async (event, context) => {
  const batchItemFailures = [];
  for (const record of event.Records) {
    const identifier = record.kinesis ? record.kinesis.sequenceNumber : record.messageId;
    const text = record.kinesis ? Buffer.from(record.kinesis.data, "base64").toString() : record.body;
    const tried = path.join(seen, `tried-${identifier}`);
    if (text.startsWith("fail") && !fs.existsSync(tried)) {
      fs.writeFileSync(tried, "");
      batchItemFailures.push({ itemIdentifier: identifier });
    } else {
      fs.writeFileSync(path.join(seen, `done-${text.replaceAll(" ", "-")}`), "");
    }
  }
  return { batchItemFailures };
};
