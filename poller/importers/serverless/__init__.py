"""The file of the Serverless Framework."""
