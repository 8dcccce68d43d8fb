# tidemill-authority
